/* The model of a weak link. Each direction is a drop-tail queue (one bandwidth-delay product unless given) that is
 * emptied at the rate, then random loss, then a constant delay; nothing is ever reordered. A packet that is lost has taken
 * its turn on the wire. While the link is down everything is dropped, also what is under way. A flow that is killed is
 * swallowed from then on: reset ones answer each packet with RST, stalled ones say nothing. */
#include "link.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define QUEUE_MAX (1u << 18)
#define FLOW_MAX (1u << 16)
#define OUTAGE_MAX 16
/* Rates are kept in spite of late wake-ups: a queue that was empty may send so much time's worth at once. */
#define CREDIT MILLISECOND
#define GAMMA 0x9e3779b97f4a7c15ull

enum flow_state { EMPTY, ALIVE, RESET, STALLED };
struct flow {
  uint64_t key;
  uint32_t top; /* the highest sequence number seen upwards */
  enum flow_state state;
};
struct direction {
  double loss, rate;
  uint64_t delay, queue_limit, free_at, last_due, random;
  struct packet **queue;
  uint32_t head, tail;
  uint64_t taken, taken_bytes, given, given_bytes, lost, queue_drops, outage_drops, dead_drops, tcp_bytes, late_max;
};

static struct direction directions[DIRECTIONS];
static struct flow flows[FLOW_MAX];
static struct { uint64_t at, at_bytes, duration; int done; } outages[OUTAGE_MAX];
static int outage_count;
static uint64_t start, down_until, reset_every, next_reset;
static uint64_t flow_count, reset_count, outages_seen, unique_bytes;

/* splitmix64. The seed is hashed, not added: streams of seeds in a row would be shifted copies of one. */
static uint64_t mix(uint64_t z) {
  z += GAMMA;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
static double next_random(uint64_t *state) {
  uint64_t z = mix(*state);
  *state += GAMMA;
  return (z >> 11) * 0x1p-53;
}

void link_start(uint64_t seed, uint64_t now) {
  start = now;
  next_reset = now + reset_every;
  for (int i = 0; i < DIRECTIONS; i++) {
    struct direction *d = &directions[i];
    d->random = mix(mix(seed) ^ mix(1000 + i));
    d->queue = calloc(QUEUE_MAX, sizeof *d->queue);
    if (!d->queue) die("no memory");
    if (d->rate > 0 && !d->queue_limit) {
      d->queue_limit = d->rate * (directions[UP].delay + directions[DOWN].delay);
      if (d->queue_limit < 65536) d->queue_limit = 65536;
    }
  }
}

/* ---- values ---- */
struct unit { const char *name; double factor; };
static double number(const char *text, const char *what, const struct unit *units) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || value < 0) die("bad %s '%s'", what, text);
  for (; units->name; units++)
    if (!strcasecmp(end, units->name)) return value * units->factor;
  die("bad unit in %s '%s'", what, text);
}
static uint64_t duration_of(const char *text) {
  static const struct unit units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {0, 0}};
  return number(text, "time", units);
}
static double rate_of(const char *text) {
  static const struct unit units[] = {{"kbit", 1e3 / 8e9}, {"mbit", 1e6 / 8e9}, {"gbit", 1e9 / 8e9}, {0, 0}};
  return number(text, "rate", units);
}
static uint64_t size_of(const char *text) {
  static const struct unit units[] = {{"", 1}, {"kib", 1024}, {"mib", 1048576}, {"gib", 1073741824}, {0, 0}};
  return number(text, "size", units);
}
static double percent_of(const char *text) {
  static const struct unit units[] = {{"", .01}, {"%", .01}, {0, 0}};
  double value = number(text, "loss", units);
  if (value >= 1) die("loss is in percent, below 100: '%s'", text);
  return value;
}

static void kill_flows(enum flow_state as) {
  for (uint32_t i = 0; i < FLOW_MAX; i++) {
    if (flows[i].state != ALIVE) continue;
    flows[i].state = as;
    if (as == RESET) reset_count++;
  }
}

int link_set(const char *name, const char *value, uint64_t now) {
  struct direction *up = &directions[UP], *down = &directions[DOWN];
  if (!strcmp(name, "loss")) up->loss = down->loss = percent_of(value);
  else if (!strcmp(name, "delay")) up->delay = down->delay = duration_of(value);
  else if (!strcmp(name, "rate")) up->rate = down->rate = rate_of(value);
  else if (!strcmp(name, "queue")) up->queue_limit = down->queue_limit = size_of(value);
  else if (!strcmp(name, "reset-every")) next_reset = now + (reset_every = duration_of(value));
  else if (!strcmp(name, "rst-all")) kill_flows(RESET);
  else if (!strcmp(name, "stall-all")) kill_flows(STALLED);
  else if (!strcmp(name, "down")) { down_until = now + duration_of(value); outages_seen++; }
  else if (!strcmp(name, "up")) down_until = 0;
  else return 0;
  return 1;
}

void link_add_outage(const char *text) {
  char when[32];
  const char *plus = strchr(text, '+');
  if (!plus || plus - text >= (int)sizeof when || outage_count == OUTAGE_MAX) die("--outage WHEN+DURATION: '%s'", text);
  snprintf(when, sizeof when, "%.*s", (int)(plus - text), text);
  outages[outage_count].duration = duration_of(plus + 1);
  if (strchr(when, 's')) outages[outage_count].at = duration_of(when);
  else outages[outage_count].at_bytes = size_of(when);
  outage_count++;
}

/* ---- flows ---- */
static struct flow *flow_of(uint32_t client, uint32_t server, uint16_t client_port, uint16_t server_port) {
  uint64_t ports = (uint64_t)client_port << 16 | server_port;
  uint64_t key = ((uint64_t)client << 32 ^ (uint64_t)server << 16) ^ ports * GAMMA;
  uint32_t at = key >> 48;
  for (uint32_t n = 0; n < FLOW_MAX; n++, at++) {
    struct flow *flow = &flows[at % FLOW_MAX];
    if (flow->state != EMPTY && flow->key != key) continue;
    flow->key = key;
    return flow;
  }
  die("too many flows");
}
static uint32_t sum16(const uint8_t *p, int n) {
  uint32_t sum = 0;
  for (int i = 0; i + 1 < n; i += 2) sum += p[i] << 8 | p[i + 1];
  return sum;
}
static uint16_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 65535) + (sum >> 16);
  return ~sum;
}
static void enqueue(struct direction *d, struct packet *packet, uint64_t due) {
  if (due < d->last_due) due = d->last_due;
  d->last_due = packet->due = due;
  if (d->tail - d->head >= QUEUE_MAX) die("too many packets under way");
  d->queue[d->tail++ % QUEUE_MAX] = packet;
}
/* A RST for the receiver of `ip` as from its sender, or, turned, for its sender. */
static void send_reset(struct direction *d, const uint8_t *ip, int turned, uint32_t sequence, uint64_t due) {
  struct packet *packet = calloc(1, sizeof *packet + 40);
  if (!packet) die("no memory");
  uint8_t *b = packet->data;
  const uint8_t *tcp = ip + (ip[0] & 15) * 4;
  packet->size = 40;
  b[0] = 0x45; b[3] = 40; b[8] = 64; b[9] = 6;
  memcpy(b + 12, ip + (turned ? 16 : 12), 4);
  memcpy(b + 16, ip + (turned ? 12 : 16), 4);
  memcpy(b + 20, tcp + (turned ? 2 : 0), 2);
  memcpy(b + 22, tcp + (turned ? 0 : 2), 2);
  sequence = htonl(sequence);
  memcpy(b + 24, &sequence, 4);
  b[32] = 0x50; b[33] = 4;
  uint16_t sum = htons(fold(sum16(b, 20)));
  memcpy(b + 10, &sum, 2);
  sum = htons(fold(sum16(b + 12, 8) + 6 + 20 + sum16(b + 20, 20)));
  memcpy(b + 36, &sum, 2);
  enqueue(d, packet, due);
}
/* Whether the packet is swallowed, since its flow was killed. */
static int swallowed(int direction, const uint8_t *ip, uint32_t size, uint64_t now) {
  if (ip[0] >> 4 != 4 || ip[9] != 6 || size < 40) return 0;
  const uint8_t *tcp = ip + (ip[0] & 15) * 4;
  struct direction *d = &directions[direction], *back = &directions[!direction];
  uint32_t from, to, sequence, acknowledged;
  uint16_t from_port, to_port;
  memcpy(&from, ip + 12, 4); memcpy(&to, ip + 16, 4);
  memcpy(&from_port, tcp, 2); memcpy(&to_port, tcp + 2, 2);
  memcpy(&sequence, tcp + 4, 4); memcpy(&acknowledged, tcp + 8, 4);
  sequence = ntohl(sequence); acknowledged = ntohl(acknowledged);
  uint32_t bytes = size - (ip[0] & 15) * 4 - (tcp[12] >> 4) * 4;
  d->tcp_bytes += bytes;
  struct flow *flow = direction == UP ? flow_of(from, to, from_port, to_port) : flow_of(to, from, to_port, from_port);
  if ((tcp[13] & 0x12) == 2) { /* a SYN brings a pair of ports to life */
    if (flow->state != ALIVE) flow_count++;
    flow->state = ALIVE;
    flow->top = sequence + 1;
  }
  if (flow->state == EMPTY) flow->state = ALIVE;
  if (direction == UP && bytes > 0 && (int32_t)(sequence + bytes - flow->top) > 0) {
    unique_bytes += sequence + bytes - flow->top;
    flow->top = sequence + bytes;
  }
  if (flow->state == ALIVE) return 0;
  if (flow->state == RESET && !(tcp[13] & 4)) {
    /* To who has sent it, as a firewall does that has forgotten the flow, and once to the other side. */
    send_reset(back, ip, 1, acknowledged, now + back->delay);
    if (bytes > 0) send_reset(d, ip, 0, sequence, now + d->delay);
  }
  d->dead_drops++;
  return 1;
}

/* ---- packets ---- */
static int is_down(uint64_t now) {
  for (int i = 0; i < outage_count; i++) {
    if (outages[i].done) continue;
    if (outages[i].at_bytes ? directions[UP].given_bytes < outages[i].at_bytes : now - start < outages[i].at) continue;
    outages[i].done = 1;
    outages_seen++;
    if (now + outages[i].duration > down_until) down_until = now + outages[i].duration;
  }
  return now < down_until;
}

void link_take(int direction, struct packet *packet, uint64_t now) {
  struct direction *d = &directions[direction];
  d->taken++;
  d->taken_bytes += packet->size;
  if (reset_every && now >= next_reset) {
    kill_flows(RESET);
    next_reset = now + reset_every;
  }
  uint64_t *drops = 0, at = now;
  if (is_down(now)) drops = &d->outage_drops;
  else if (swallowed(direction, packet->data, packet->size, now)) drops = &d->dead_drops;
  else if (d->rate > 0) {
    if (d->free_at + CREDIT < now) d->free_at = now - CREDIT;
    uint64_t backlog = d->free_at > now ? (d->free_at - now) * d->rate : 0;
    if (backlog + packet->size > d->queue_limit) drops = &d->queue_drops;
    else {
      d->free_at += packet->size / d->rate;
      if (d->free_at > now) at = d->free_at;
    }
  }
  if (!drops && d->loss > 0 && next_random(&d->random) < d->loss) drops = &d->lost;
  if (!drops) return enqueue(d, packet, at + d->delay);
  if (drops != &d->dead_drops) ++*drops; /* those were counted where the flow is known */
  free(packet);
}

struct packet *link_give(int direction, uint64_t now) {
  struct direction *d = &directions[direction];
  while (d->head != d->tail && d->queue[d->head % QUEUE_MAX]->due <= now) {
    struct packet *packet = d->queue[d->head++ % QUEUE_MAX];
    if (now - packet->due > d->late_max) d->late_max = now - packet->due;
    if (!is_down(now)) {
      d->given++;
      d->given_bytes += packet->size;
      return packet;
    }
    d->outage_drops++;
    free(packet);
  }
  return NULL;
}

uint64_t link_next(uint64_t latest) {
  for (int i = 0; i < DIRECTIONS; i++) {
    struct direction *d = &directions[i];
    if (d->head != d->tail && d->queue[d->head % QUEUE_MAX]->due < latest) latest = d->queue[d->head % QUEUE_MAX]->due;
  }
  return latest;
}

void link_report(FILE *to, uint64_t now, double cpu_seconds) {
  static const char *names[] = {"up", "down"};
  fprintf(to, "{\"seconds\":%.3f,\"cpuSeconds\":%.2f,\"flows\":%lu,\"resets\":%lu,\"outages\":%lu,\"sentOnce\":%lu",
          (now - start) / 1e9, cpu_seconds, flow_count, reset_count, outages_seen, unique_bytes);
  for (int i = 0; i < DIRECTIONS; i++) {
    struct direction *d = &directions[i];
    fprintf(to, ",\"%s\":{\"packets\":%lu,\"bytes\":%lu,\"tcpBytes\":%lu,\"arrived\":%lu,\"arrivedBytes\":%lu,\"lost\":%lu,\"queueDrops\":%lu,\"outageDrops\":%lu,\"deadDrops\":%lu,\"lateMsMax\":%.1f}",
            names[i], d->taken, d->taken_bytes, d->tcp_bytes, d->given, d->given_bytes, d->lost, d->queue_drops,
            d->outage_drops, d->dead_drops, d->late_max / 1e6);
  }
  fprintf(to, "}\n");
}
