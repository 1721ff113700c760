/* weaknet - a weak network on one machine, without netem.
 *
 *   weaknet [options] -- COMMAND...        runs COMMAND at one end of a weak link, in a network namespace of its own
 *   weaknet ctl SOCKET 'SETTING [VALUE]'   changes the link while it runs: rate, loss, down 5s, up, rst-all, stall-all
 *
 *   --loss PERCENT --delay T --rate R --queue BYTES   the link, the same in both directions; T is one way
 *   --outage WHEN+T    WHEN: a time (20s), or bytes upwards (512MiB), which does not depend on speed
 *   --reset-every T    all connections are reset, again and again
 *   --server 'COMMAND' --wait-port N   runs at the other end, first; waits until it listens
 *   --cc NAME --seed N --stats FILE --ctl SOCKET
 *
 * The client is at 198.18.0.1, the server at 198.18.0.2 (RFC 2544's range for benchmarks); packets cross only through this
 * process, so nothing reaches a real interface, and several may run side by side. COMMAND's exit code is ours, 125 our own
 * error. What the link does to a packet is in link.c. Needs root or user namespaces, and /dev/net/tun.
 * Build: cc -O2 -o weaknet weaknet.c link.c net.c */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "net.h"

/* One wake-up a packet costs more than half a core at 200 Mbit/s, one for so long less than half of that. */
#define TICK (200 * 1000)
/* Packets in a row from one side, before the other has its turn. */
#define BATCH 256

static struct options {
  const char *congestion, *stats, *control;
  char *server;
  int port;
  uint64_t seed;
} options = {.seed = 1};
static pid_t command_pid, server_pid;

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "weaknet: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  if (server_pid > 0) kill(-server_pid, SIGTERM);
  exit(125);
}
uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) die("the path is too long: %s", path);
  strcpy(address.sun_path, path);
  return address;
}
static int tell(const char *path, char **settings) {
  struct sockaddr_un address = address_of(path);
  int s = socket(AF_UNIX, SOCK_DGRAM, 0);
  for (; *settings; settings++)
    if (sendto(s, *settings, strlen(*settings), 0, (void *)&address, sizeof address) < 0) die("%s: %s", path, strerror(errno));
  return 0;
}
static int listen_at(const char *path) {
  struct sockaddr_un address = address_of(path);
  int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unlink(path);
  if (bind(s, (void *)&address, sizeof address)) die("%s: %s", path, strerror(errno));
  setenv("WEAKNET_CTL", path, 1);
  return s;
}
static void take_settings(int s) {
  char text[200];
  for (ssize_t n; (n = recv(s, text, sizeof text - 1, 0)) > 0;) {
    text[n] = 0;
    char *name = strtok(text, " \n"), *value = strtok(NULL, " \n");
    if (name && !link_set(name, value ? value : "", now_ns())) fprintf(stderr, "weaknet: no setting '%s'\n", name);
  }
}

/* Returns where COMMAND begins. */
static char **parse(int argc, char **argv) {
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--"); i += 2) {
    char *name = argv[i], *value = argv[i + 1];
    if (strncmp(name, "--", 2) || !value) die("bad option '%s'; the comment on top of weaknet.c has them all", name);
    name += 2;
    if (!strcmp(name, "cc")) options.congestion = value;
    else if (!strcmp(name, "server")) options.server = value;
    else if (!strcmp(name, "stats")) options.stats = value;
    else if (!strcmp(name, "ctl")) options.control = value;
    else if (!strcmp(name, "wait-port")) options.port = atoi(value);
    else if (!strcmp(name, "seed")) options.seed = strtoull(value, NULL, 10);
    else if (!strcmp(name, "outage")) link_add_outage(value);
    else if (!link_set(name, value, now_ns())) die("bad option '--%s'", name);
  }
  if (i >= argc - 1) die("no COMMAND after --");
  return argv + i + 1;
}

static void write_to(const char *path, const char *text) {
  int f = open(path, O_WRONLY);
  if (f < 0 || write(f, text, strlen(text)) < 0) die("%s: %s", path, strerror(errno));
  close(f);
}
static void become_root(void) {
  if (geteuid() == 0) return;
  unsigned user = getuid(), group = getgid();
  char text[64];
  if (unshare(CLONE_NEWUSER)) die("not root, and no user namespaces");
  write_to("/proc/self/setgroups", "deny");
  snprintf(text, sizeof text, "0 %u 1", user);
  write_to("/proc/self/uid_map", text);
  snprintf(text, sizeof text, "0 %u 1", group);
  write_to("/proc/self/gid_map", text);
}

static void start_server(struct net net) {
  if (!options.server) return;
  server_pid = net_run(net, (char *[]){"/bin/sh", "-c", options.server, NULL});
  for (int tries = 0; options.port && !net_is_listening(net, server_pid, options.port); tries++) {
    if (tries > 3000 || waitpid(server_pid, NULL, WNOHANG) == server_pid) die("the server does not listen on port %d", options.port);
    usleep(10000);
  }
}
/* COMMAND's exit code once it has ended, else -1. */
static int reap(int signals) {
  struct signalfd_siginfo signal;
  int code = -1, status;
  while (read(signals, &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo != SIGCHLD) kill(-command_pid, signal.ssi_signo);
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid == command_pid) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      else if (pid == server_pid) {
        server_pid = 0;
        fprintf(stderr, "weaknet: the server has ended\n");
      }
    }
  }
  return code;
}

static int receive(int direction, int from) {
  static struct packet *spare;
  int count = 0;
  for (; count < BATCH; count++) {
    if (!spare && !(spare = malloc(sizeof *spare + MTU))) die("no memory");
    ssize_t size = read(from, spare->data, MTU);
    if (size <= 0) break;
    spare->size = size;
    link_take(direction, spare, now_ns());
    spare = NULL;
  }
  return count;
}
static int deliver(int direction, int to) {
  uint64_t now = now_ns();
  int count = 0;
  for (struct packet *packet; count < BATCH && (packet = link_give(direction, now)); count++) {
    if (write(to, packet->data, packet->size) < 0 && errno != EIO) fprintf(stderr, "weaknet: %s\n", strerror(errno));
    free(packet);
  }
  return count;
}
/* Moves packets until COMMAND ends; returns its code. */
static int relay(int client, int server, int signals, int control) {
  struct pollfd watched[] = {{client, POLLIN, 0}, {server, POLLIN, 0}, {signals, POLLIN, 0}, {control, POLLIN, 0}};
  for (int busy = 0, code = -1; code < 0;) {
    if (busy) nanosleep(&(struct timespec){.tv_nsec = TICK}, NULL);
    uint64_t now = now_ns(), next = link_next(now + SECOND), wait = next > now ? next - now : 0;
    struct timespec timeout = {wait / SECOND, wait % SECOND};
    if (ppoll(watched, 4, &timeout, NULL) < 0 && errno != EINTR) die("poll: %s", strerror(errno));
    busy = 0;
    if (watched[0].revents & POLLIN) busy += receive(UP, client);
    if (watched[1].revents & POLLIN) busy += receive(DOWN, server);
    busy += deliver(UP, server);
    busy += deliver(DOWN, client);
    if (watched[3].revents & POLLIN) take_settings(control);
    if (watched[2].revents & POLLIN) code = reap(signals);
    if (code >= 0) return code;
  }
  return 0;
}
/* A busy machine must not look like a slow link. */
static void hurry(void) {
  prctl(PR_SET_TIMERSLACK, 1);
  struct sched_param first = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first)) setpriority(PRIO_PROCESS, 0, -15);
}
static void report(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  FILE *to = options.stats ? fopen(options.stats, "w") : NULL;
  if (!to) return;
  link_report(to, now_ns(), cpu);
  fclose(to);
}

int main(int argc, char **argv) {
  if (argc >= 4 && !strcmp(argv[1], "ctl")) return tell(argv[2], argv + 3);
  char **command = parse(argc, argv);
  become_root();
  int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  struct net client = net_make("198.18.0.1", "wnc", options.congestion);
  struct net server = net_make("198.18.0.2", "wns", options.congestion);
  setns(home, CLONE_NEWNET);
  int control = options.control ? listen_at(options.control) : -1;
  sigset_t handled;
  sigemptyset(&handled);
  for (const int *s = (int[]){SIGCHLD, SIGINT, SIGTERM, SIGHUP, 0}; *s; s++) sigaddset(&handled, *s);
  sigprocmask(SIG_BLOCK, &handled, NULL);
  int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  start_server(server);
  link_start(options.seed, now_ns());
  command_pid = net_run(client, command);
  hurry();
  int code = relay(client.tun, server.tun, signals, control);
  report();
  kill(-command_pid, SIGTERM); /* what COMMAND left behind in its group */
  if (server_pid > 0) {
    kill(-server_pid, SIGTERM);
    for (int tries = 0; tries < 200 && waitpid(server_pid, NULL, WNOHANG) == 0; tries++) usleep(20000);
    kill(-server_pid, SIGKILL);
  }
  if (options.control) unlink(options.control);
  return code;
}
