/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Claims of VIPs' addresses by others. Whoever is on the cable can send as many as he likes, with as many MACs:
 * the kernel's filter lets through what can be one, a turn of the loop reads some, then a while nothing is read;
 * and of those that claim only so many are known at a time.
 */
#include "claims.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "address_frame.h"
#include "clock.h"
#include "events.h"
#include "log.h"
#include "parse.h"

#define AT_ONCE 64	/* frames that a turn reads, */
#define PAUSE_US 100000 /* and then nothing for so long */
#define KNOWN 64	/* claims that are kept */
#define KEPT_MS 300000	/* after the last frame of it a claim is over */
#define TELL_MS 60000	/* it is told of again while it goes on; so are probes */
#define FRAME_ROOM 512

struct claim {
	struct addr address;
	struct mac mac;
	uint64_t since_ms; /* 0: none */
	uint64_t last_ms;
	uint64_t told_ms;
	uint64_t frames;
};

/* One of the two sockets. */
struct ear {
	struct claims *claims;
	int fd; /* -1: closed */
	struct event *event;
	struct event *pause;
};

struct claims {
	struct event_base *base;
	struct ports *ports;
	struct announcer *announcer;
	const struct counters *counters;
	struct ports_listener links;
	struct ear ear[2]; /* ARP, IPv6 */
	struct event *watch;
	struct claim claim[KNOWN];
	unsigned int looks;	 /* with a forwarder there: by the second its totals have been read */
	uint64_t probes;	 /* as counted when they were told of last */
	uint64_t probes_told_ms; /* 0: never */
	bool failing;		 /* logged */
};

/* ARP, requests and replies, with a sender's address. */
static struct sock_filter only_arp[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 14 + offsetof(struct arp_ipv4, sender_ip)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 14 + offsetof(struct arp_ipv4, op)),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, FRAME_ROOM),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

/* Neighbour advertisements. */
static struct sock_filter only_advertisements[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + offsetof(struct ipv6_header, next)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTO_ICMPV6, 0, 3),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + sizeof(struct ipv6_header)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMPV6_NEIGHBOUR_ADVERTISEMENT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, FRAME_ROOM),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static const struct {
	uint16_t protocol;
	struct sock_fprog filter;
} kinds[] = {
	{ ETH_P_ARP, { sizeof(only_arp) / sizeof(*only_arp), only_arp } },
	{ ETH_P_IPV6, { sizeof(only_advertisements) / sizeof(*only_advertisements), only_advertisements } },
};

static const char *const said[] = {
	[ADDRESS_CLAIM_ANNOUNCED] = "announces it",
	[ADDRESS_CLAIM_ANSWERED] = "answers for it",
	[ADDRESS_CLAIM_ASKED_FROM] = "asks for others from it",
};

/* That of this address and MAC, or a free one; NULL: all are of others. */
static struct claim *find(struct claims *c, struct addr address, const struct mac *mac, uint64_t now_ms)
{
	struct claim *unused = NULL;

	for (size_t i = 0; i < KNOWN; i++) {
		struct claim *claim = &c->claim[i];
		bool over = !claim->since_ms || now_ms - claim->last_ms >= KEPT_MS;

		if (!over && addr_equal(claim->address, address) && mac_equal(&claim->mac, mac))
			return claim;
		if (over && !unused)
			unused = claim;
	}
	if (unused)
		*unused = (struct claim){ .address = address, .mac = *mac, .since_ms = now_ms };
	return unused;
}

static void note(struct claims *c, struct addr address, const struct mac *mac, enum address_claim kind)
{
	uint64_t now_ms = clock_boot_ms();
	struct claim *claim = find(c, address, mac, now_ms);
	char text[ADDRESS_TEXT], mac_text[ADDRESS_MAC_TEXT];

	announce_defend(c->announcer, address);
	if (!claim)
		return;
	claim->last_ms = now_ms;
	claim->frames++;
	if (claim->told_ms && now_ms - claim->told_ms < TELL_MS)
		return;
	claim->told_ms = now_ms;
	event_tell(EVENT_VIP_CLAIMED, NULL, NULL, "%s: the host with MAC %s on %s %s%s",
		address_print(address, text), address_print_mac(mac, mac_text),
		interface_name(ports_interface(c->ports, 0)), said[kind], claim->frames > 1 ? ", still" : "");
}

static void read_one(struct claims *c, const uint8_t *frame, size_t size)
{
	const struct mac *own = announce_mac(c->announcer);
	struct addr address;
	struct mac mac;
	enum address_claim kind = address_frame_claim(frame, size, &address, &mac);

	if (kind && own && !mac_equal(&mac, own) && announce_has(c->announcer, address))
		note(c, address, &mac, kind);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval pause = { .tv_usec = PAUSE_US };
	struct ear *ear = context;
	uint8_t frame[FRAME_ROOM];

	(void)what;
	for (int i = 0; i < AT_ONCE; i++) {
		struct sockaddr_ll from;
		socklen_t length = sizeof(from);
		ssize_t size = recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &length);

		if (size < 0)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING)
			read_one(ear->claims, frame, (size_t)size);
	}
	event_del(ear->event);
	event_add(ear->pause, &pause);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
	struct ear *ear = context;

	(void)fd;
	(void)what;
	if (ear->event)
		event_add(ear->event, NULL);
}

static void close_ear(struct ear *ear)
{
	event_del(ear->pause);
	if (ear->event)
		event_free(ear->event);
	ear->event = NULL;
	if (ear->fd >= 0)
		close(ear->fd);
	ear->fd = -1;
}

/* 0 or -errno. The filter first: then nothing else is ever in the socket's queue. */
static int open_ear(struct ear *ear, size_t kind, unsigned int index)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = core_be16(kinds[kind].protocol), .sll_ifindex = (int)index
	};

	ear->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ear->fd < 0)
		return -errno;
	if (setsockopt(ear->fd, SOL_SOCKET, SO_ATTACH_FILTER, &kinds[kind].filter, sizeof(kinds[kind].filter)) <
			0 ||
		bind(ear->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	ear->event = event_new(ear->claims->base, ear->fd, EV_READ | EV_PERSIST, on_readable, ear);
	return ear->event && event_add(ear->event, NULL) == 0 ? 0 : -ENOMEM;
}

static void open_ears(struct claims *c)
{
	unsigned int index = interface_index(ports_interface(c->ports, 0));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		int error;

		close_ear(&c->ear[i]);
		error = open_ear(&c->ear[i], i, index);
		if (!error)
			continue;
		close_ear(&c->ear[i]);
		if (!c->failing)
			log_warning(
				"other hosts that claim addresses of VIPs are not noticed: no packet socket: %s",
				strerror(-error));
		c->failing = true;
	}
}

static void on_up(void *context, uint32_t port)
{
	if (port == 0)
		open_ears(context);
}

static void on_down(void *context, uint32_t port)
{
	struct claims *c = context;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && port == 0; i++)
		close_ear(&c->ear[i]);
}

/* Probes are answered, and rare; whoever sends many is told of with their number. */
static void on_watch(evutil_socket_t fd, short what, void *context)
{
	struct claims *c = context;
	uint64_t probes = counters_total(c->counters, COUNTER_VIP_PROBED), now_ms = clock_boot_ms();

	(void)fd;
	(void)what;
	if (c->looks < 2 || probes <= c->probes) {
		c->looks += announce_mac(c->announcer) != NULL;
		c->probes = probes;
		return;
	}
	if (c->probes_told_ms && now_ms - c->probes_told_ms < TELL_MS)
		return;
	event_tell(EVENT_VIP_PROBED, NULL, NULL,
		"%llu since it was told of last: another host would like to have a VIP's address, and was told "
		"that it is taken",
		(unsigned long long)(probes - c->probes));
	c->probes = probes;
	c->probes_told_ms = now_ms;
}

struct claims *claims_open(
	struct event_base *base, struct ports *ports, struct announcer *announcer, const struct counters *counters)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct claims *c = calloc(1, sizeof(*c));
	bool made = true;

	if (!c)
		return NULL;
	c->base = base;
	c->ports = ports;
	c->announcer = announcer;
	c->counters = counters;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		c->ear[i] = (struct ear){ .claims = c, .fd = -1 };
		c->ear[i].pause = evtimer_new(base, on_pause_over, &c->ear[i]);
		made = made && c->ear[i].pause;
	}
	c->watch = event_new(base, -1, EV_PERSIST, on_watch, c);
	if (!made || !c->watch || event_add(c->watch, &second) < 0) {
		claims_close(c);
		return NULL;
	}
	c->links = (struct ports_listener){ .context = c, .up = on_up, .down = on_down };
	ports_listen(ports, &c->links);
	return c;
}

void claims_close(struct claims *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!c->ear[i].pause)
			continue;
		close_ear(&c->ear[i]);
		event_free(c->ear[i].pause);
	}
	if (c->watch)
		event_free(c->watch);
	free(c);
}

void claims_warnings(const struct claims *c, json_t *warnings)
{
	uint64_t now_ms = clock_boot_ms();
	char text[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

	for (size_t i = 0; i < KNOWN; i++) {
		const struct claim *claim = &c->claim[i];

		if (!claim->since_ms || now_ms - claim->last_ms >= KEPT_MS ||
			!announce_has(c->announcer, claim->address))
			continue;
		json_array_append_new(warnings,
			json_sprintf("the host with MAC %s says that it has %s, the address of a VIP: last %llu s "
				     "ago; what "
				     "neighbours believe changes with each who says so",
				address_print_mac(&claim->mac, mac), address_print(claim->address, text),
				(unsigned long long)((now_ms - claim->last_ms) / 1000)));
	}
}
