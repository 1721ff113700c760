/* The model of a weak link; see link.c. Times are nanoseconds, sizes bytes, rates bytes per nanosecond. */
#ifndef WEAKNET_LINK_H
#define WEAKNET_LINK_H

#include <stdint.h>
#include <stdio.h>

enum { UP, DOWN, DIRECTIONS };
#define MTU 1500
#define MILLISECOND 1000000ull
#define SECOND 1000000000ull

/* Ends the program with 125, its own errors' code. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t now_ns(void);

struct packet {
  uint64_t due;
  uint32_t size;
  uint8_t data[];
};

void link_start(uint64_t seed, uint64_t now);
/* A setting by name, as an option or over the control socket; 0 when there is no such setting. */
int link_set(const char *name, const char *value, uint64_t now);
/* `WHEN+DURATION`; WHEN is a time, or bytes that have crossed upwards. */
void link_add_outage(const char *text);
/* Takes a packet that came in; owns it from then on. */
void link_take(int direction, struct packet *packet, uint64_t now);
/* The next packet that is due by `now`, or NULL; the caller frees it. */
struct packet *link_give(int direction, uint64_t now);
/* When the next packet is due, at most `latest`. */
uint64_t link_next(uint64_t latest);
/* What has happened, as one line of JSON. */
void link_report(FILE *to, uint64_t now, double cpu_seconds);

#endif
