/* Network namespaces without a name, gone with their last process, each with one TUN device to us. No iproute2 needed. */
#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link.h"

static void append(struct nlmsghdr *header, int type, const void *data, size_t size) {
  struct rtattr *attribute = (void *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = RTA_LENGTH(size);
  memcpy(RTA_DATA(attribute), data, size);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* A namespace's default congestion control can only be one that the host allows for all (EPERM otherwise). A route's has no
 * such limit, so the route over the link gets it, and with it every socket that asks for nothing else. */
static void set_congestion(const char *address, const char *device, const char *name) {
  struct { struct nlmsghdr h; struct rtmsg r; char rest[256]; } request = {
    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)), .nlmsg_type = RTM_NEWROUTE,
          .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE | NLM_F_CREATE},
    .r = {.rtm_family = AF_INET, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_KERNEL,
          .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST}};
  struct in_addr source, network;
  if (inet_pton(AF_INET, address, &source) != 1 || strlen(name) > 15) die("congestion control '%s'", name);
  network.s_addr = htonl(ntohl(source.s_addr) & ~255u);
  unsigned index = if_nametoindex(device);
  append(&request.h, RTA_DST, &network, sizeof network);
  append(&request.h, RTA_PREFSRC, &source, sizeof source);
  append(&request.h, RTA_OIF, &index, sizeof index);
  char metrics[32] = {0};
  struct rtattr *inner = (void *)metrics;
  inner->rta_type = RTAX_CC_ALGO;
  inner->rta_len = RTA_LENGTH(strlen(name) + 1);
  strcpy(RTA_DATA(inner), name);
  append(&request.h, RTA_METRICS | NLA_F_NESTED, metrics, RTA_ALIGN(inner->rta_len));
  struct { struct nlmsghdr h; struct nlmsgerr e; char rest[512]; } reply;
  int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (send(s, &request, request.h.nlmsg_len, 0) < 0 || recv(s, &reply, sizeof reply, 0) < 0 || reply.e.error)
    die("congestion control '%s': %s", name, strerror(-reply.e.error));
  close(s);
}

static void control(int s, unsigned long request, struct ifreq *r, const char *what) {
  if (ioctl(s, request, r)) die("%s: %s", what, strerror(errno));
}
static void bring_up(int s, struct ifreq *r, const char *device) {
  strcpy(r->ifr_name, device);
  control(s, SIOCGIFFLAGS, r, "flags");
  r->ifr_flags |= IFF_UP | IFF_RUNNING;
  control(s, SIOCSIFFLAGS, r, "up");
}
static void set_address(int s, unsigned long request, struct ifreq *r, const char *text) {
  struct sockaddr_in *address = (void *)&r->ifr_addr;
  *address = (struct sockaddr_in){.sin_family = AF_INET};
  inet_pton(AF_INET, text, &address->sin_addr);
  control(s, request, r, "address");
}

struct net net_make(const char *address, const char *device, const char *congestion) {
  if (unshare(CLONE_NEWNET)) die("no network namespaces: %s", strerror(errno));
  struct net net = {.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  net.tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (net.ns < 0 || net.tun < 0) die("/dev/net/tun: %s", strerror(errno));
  struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(r.ifr_name, device);
  if (ioctl(net.tun, TUNSETIFF, &r)) die("/dev/net/tun: %s", strerror(errno));
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  set_address(s, SIOCSIFADDR, &r, address);
  set_address(s, SIOCSIFNETMASK, &r, "255.255.255.0");
  r.ifr_mtu = MTU;
  control(s, SIOCSIFMTU, &r, "mtu");
  r.ifr_qlen = 20000; /* the default of 500 packets would drop behind our back */
  control(s, SIOCSIFTXQLEN, &r, "queue");
  bring_up(s, &r, device);
  bring_up(s, &r, "lo");
  close(s);
  if (congestion) set_congestion(address, device, congestion);
  return net;
}

pid_t net_run(struct net net, char **argv) {
  pid_t parent = getpid(), pid = fork();
  if (pid < 0) die("fork: %s", strerror(errno));
  if (pid > 0) {
    setpgid(pid, pid);
    return pid;
  }
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent || setns(net.ns, CLONE_NEWNET)) _exit(125);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvp(argv[0], argv);
  fprintf(stderr, "weaknet: %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

int net_is_listening(struct net net, pid_t pid, int port) {
  /* Until the child has entered its namespace its /proc/PID/net is ours: a listener there must not count. */
  struct stat its, wanted;
  char path[64], line[400];
  snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  if (stat(path, &its) || fstat(net.ns, &wanted) || its.st_ino != wanted.st_ino) return 0;
  for (int v6 = 0; v6 < 2; v6++) {
    snprintf(path, sizeof path, "/proc/%d/net/%s", pid, v6 ? "tcp6" : "tcp");
    FILE *table = fopen(path, "r");
    if (!table) continue;
    int found = 0;
    while (fgets(line, sizeof line, table)) {
      unsigned local, state;
      if (sscanf(line, " %*d: %*40[0-9A-F]:%x %*40[0-9A-F]:%*x %x", &local, &state) == 2)
        found |= state == 10 && (int)local == port;
    }
    fclose(table);
    if (found) return 1;
  }
  return 0;
}
