/* Namespaces with one TUN device each; see net.c. */
#ifndef WEAKNET_NET_H
#define WEAKNET_NET_H

#include <sys/types.h>

struct net { int tun, ns; };
/* A fresh network namespace, which this process is in from then on. `congestion` may be NULL. */
struct net net_make(const char *address, const char *device, const char *congestion);
/* Runs a program in it, as the leader of a process group of its own, that ends with us. */
pid_t net_run(struct net net, char **argv);
/* Whether somebody listens in the namespace of that process. */
int net_is_listening(struct net net, pid_t pid, int port);

#endif
