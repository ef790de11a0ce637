/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements. What is in force is read from the snapshot, not from the model: nobody is to be sent here before
 * the forwarder would answer.
 */
#include "announce.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "address_frame.h"
#include "clock.h"
#include "log.h"

#define PACE_MS 20	/* the least time between two turns of a queue */
#define DEFEND_MS 10000 /* RFC 5227, DEFEND_INTERVAL */

/* An address that is in force. */
struct place {
	struct addr address;
	uint32_t left;	      /* announcements to come */
	bool probe;	      /* with the next one */
	uint64_t due_ms;      /* when the next one is to be sent */
	uint64_t defended_ms; /* 0: never */
};

struct announcer {
	struct ports *ports;
	struct publisher *publisher;
	struct publish_listener published;
	struct ports_listener links;
	struct event *turn;
	int fd; /* packet socket; -1: none */
	bool mac_known;
	struct mac mac;	     /* what the forwarder in force answers with */
	struct place *place; /* ascending address */
	size_t n;
	uint64_t digest; /* of their addresses, whatever the order */
	uint32_t repeat, interval_ms, rate;
	uint64_t allowed;    /* thousandths of a frame that may be sent */
	uint64_t counted_ms; /* up to when they are counted */
	uint64_t sent;
	bool anew;    /* a forwarder came up: when the next snapshot is in force all are announced */
	bool failing; /* logged */
};

static int compare(const void *key, const void *item)
{
	return address_compare(((const struct place *)key)->address, ((const struct place *)item)->address);
}

static struct place *find(const struct announcer *a, struct addr address)
{
	const struct place key = { .address = address };

	return a->n ? bsearch(&key, a->place, a->n, sizeof(*a->place), compare) : NULL;
}

static void set_turn(struct announcer *a, uint64_t ms)
{
	struct timeval delay = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	event_add(a->turn, &delay);
}

static void say_failure(struct announcer *a, const char *what, int error)
{
	if (!a->failing)
		log_warning("addresses of VIPs can't be announced: %s: %s", what, strerror(error));
	a->failing = true;
}

static void send_frame(struct announcer *a, const uint8_t *frame, size_t size)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_ifindex = (int)interface_index(ports_interface(a->ports, 0)),
		.sll_halen = sizeof(struct mac) };

	memcpy(to.sll_addr, frame, sizeof(struct mac));
	if (sendto(a->fd, frame, size, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0)
		say_failure(a, interface_name(ports_interface(a->ports, 0)), errno);
	else
		a->failing = false;
}

static void announce(struct announcer *a, struct place *place, uint64_t now_ms)
{
	uint8_t frame[ADDRESS_FRAME_MAX];

	if (place->probe)
		send_frame(a, frame, address_frame_probe(frame, &a->mac, place->address));
	place->probe = false;
	send_frame(a, frame, address_frame_announcement(frame, &a->mac, place->address));
	a->sent++;
	place->left--;
	place->due_ms = now_ms + a->interval_ms;
}

/* What may be sent by now: no more at once than in a tenth of a second. */
static void count_allowed(struct announcer *a, uint64_t now_ms)
{
	uint64_t most = (uint64_t)a->rate * 100 > 1000 ? (uint64_t)a->rate * 100 : 1000;

	a->allowed += (now_ms - a->counted_ms) * a->rate;
	if (a->allowed > most)
		a->allowed = most;
	a->counted_ms = now_ms;
}

/* Send what is due of those with this many to come. */
static void send_due(struct announcer *a, bool first, uint64_t now_ms)
{
	for (size_t i = 0; i < a->n && a->allowed >= 1000; i++) {
		struct place *place = &a->place[i];

		if (!place->left || place->due_ms > now_ms || place->probe != first)
			continue;
		announce(a, place, now_ms);
		a->allowed -= 1000;
	}
}

/* When there is more to do: from now, in ms; 0: nothing is left. */
static uint64_t next_turn(const struct announcer *a, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < a->n; i++)
		if (a->place[i].left && a->place[i].due_ms < next)
			next = a->place[i].due_ms;
	if (next == UINT64_MAX)
		return 0;
	next = next > now_ms ? next - now_ms : 0;
	/* What is due had to wait for its share. */
	if (next < PACE_MS)
		next = PACE_MS;
	return next < 1000 / a->rate && a->allowed < 1000 ? 1000 / a->rate : next;
}

static bool can_send(const struct announcer *a)
{
	return a->fd >= 0 && a->mac_known && interface_index(ports_interface(a->ports, 0));
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	struct announcer *a = context;
	uint64_t now_ms = clock_boot_ms(), next;

	(void)fd;
	(void)what;
	if (!can_send(a))
		return;
	count_allowed(a, now_ms);
	/* News before repetitions. */
	send_due(a, true, now_ms);
	send_due(a, false, now_ms);
	next = next_turn(a, now_ms);
	if (next)
		set_turn(a, next);
}

static void begin(struct announcer *a, struct place *place, uint64_t now_ms)
{
	place->left = a->repeat;
	place->probe = true;
	place->due_ms = now_ms;
}

/* All of them anew. */
static void begin_all(struct announcer *a, const char *why)
{
	uint64_t now_ms = clock_boot_ms();

	if (!a->n || !a->repeat || a->fd < 0)
		return;
	log_info("%s: announcing the addresses of VIPs, %zu, on %s", why, a->n,
		interface_name(ports_interface(a->ports, 0)));
	for (size_t i = 0; i < a->n; i++)
		begin(a, &a->place[i], now_ms);
	set_turn(a, 0);
}

static const struct snapshot_vip *vips_of(const struct snapshot_header *h)
{
	return (const struct snapshot_vip *)((const char *)h + h->vips_off);
}

static bool is_active_address(const struct snapshot_vip *e)
{
	return e->flags & VIP_USED && e->flags & VIP_ACTIVE && !e->proto;
}

/* How many addresses are in force, and a digest of them. */
static size_t count_addresses(const struct snapshot_header *h, uint64_t *digest)
{
	size_t n = 0;

	*digest = 0;
	for (uint32_t i = 0; i < h->vip_index_size; i++) {
		const struct snapshot_vip *e = &vips_of(h)[i];
		uint64_t x;

		if (!is_active_address(e))
			continue;
		x = (e->addr.lo ^ e->addr.hi * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
		*digest += (x ^ x >> 31) * 0x94d049bb133111ebULL;
		n++;
	}
	return n;
}

/* Those in force now, in order, with what is known of those that were before. How many are new. */
static size_t take(struct announcer *a, const struct snapshot_header *h, size_t n)
{
	struct place *place = calloc(n + 1, sizeof(*place));
	uint64_t now_ms = clock_boot_ms();
	size_t filled = 0, news = 0;

	if (!place) {
		log_error("out of memory: addresses of VIPs are not announced");
		return 0;
	}
	for (uint32_t i = 0; i < h->vip_index_size && filled < n; i++)
		if (is_active_address(&vips_of(h)[i]))
			place[filled++].address = vips_of(h)[i].addr;
	qsort(place, filled, sizeof(*place), compare);
	for (size_t i = 0; i < filled; i++) {
		const struct place *before = find(a, place[i].address);

		if (before) {
			place[i] = *before;
			continue;
		}
		news++;
		begin(a, &place[i], now_ms);
	}
	free(a->place);
	a->place = place;
	a->n = filled;
	return news;
}

static void forget(struct announcer *a)
{
	event_del(a->turn);
	free(a->place);
	a->place = NULL;
	a->n = 0;
	a->digest = 0;
	a->mac_known = false;
}

static void on_acknowledged(void *context, uint64_t version)
{
	struct announcer *a = context;
	const struct snapshot_header *h = publish_snapshot(a->publisher);
	const struct snapshot_port *port;
	bool had_mac = a->mac_known, other_mac;
	uint64_t digest;
	size_t n, news = 0;

	(void)version;
	if (!h)
		return;
	port = (const struct snapshot_port *)((const char *)h + h->ports_off);
	other_mac = had_mac && !mac_equal(&port->mac, &a->mac);
	a->mac = port->mac;
	a->mac_known = true;
	n = count_addresses(h, &digest);
	if (n != a->n || digest != a->digest) {
		news = take(a, h, n);
		a->digest = digest;
	}
	if (a->anew || !had_mac)
		begin_all(a, "the forwarder is there");
	else if (other_mac)
		begin_all(a, "the port has another MAC");
	else if (news)
		set_turn(a, 0);
	a->anew = false;
}

static void on_connected(void *context, struct forwarder *forwarder)
{
	(void)forwarder;
	((struct announcer *)context)->anew = true;
}

static void on_disconnected(void *context, struct forwarder *forwarder)
{
	struct announcer *a = context;

	if (forwarder == publish_main(a->publisher))
		forget(a);
}

static void on_up(void *context, uint32_t port)
{
	if (port == 0)
		begin_all(context, "the link is up");
}

static void configure(struct announcer *a, const struct config *config)
{
	a->repeat = config->announce_repeat;
	a->interval_ms = config->announce_interval_ms;
	a->rate = config->announce_rate;
	for (size_t i = 0; i < a->n; i++)
		if (a->place[i].left > a->repeat)
			a->place[i].left = a->repeat;
}

struct announcer *announce_open(
	struct event_base *base, struct ports *ports, struct publisher *publisher, const struct config *config)
{
	struct announcer *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->ports = ports;
	a->publisher = publisher;
	/* Of protocol 0: it receives nothing. */
	a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		say_failure(a, "no packet socket", errno);
	a->turn = evtimer_new(base, on_turn, a);
	if (!a->turn) {
		announce_close(a);
		return NULL;
	}
	a->counted_ms = clock_boot_ms();
	configure(a, config);
	a->published = (struct publish_listener){ .context = a,
		.connected = on_connected,
		.acknowledged = on_acknowledged,
		.disconnected = on_disconnected };
	publish_listen(publisher, &a->published);
	a->links = (struct ports_listener){ .context = a, .up = on_up };
	ports_listen(ports, &a->links);
	return a;
}

void announce_close(struct announcer *a)
{
	if (!a)
		return;
	if (a->turn)
		event_free(a->turn);
	if (a->fd >= 0)
		close(a->fd);
	free(a->place);
	free(a);
}

void announce_reconfigure(struct announcer *a, const struct config *config)
{
	configure(a, config);
}

bool announce_has(const struct announcer *a, struct addr address)
{
	return find(a, address) != NULL;
}

const struct mac *announce_mac(const struct announcer *a)
{
	return a->mac_known ? &a->mac : NULL;
}

void announce_defend(struct announcer *a, struct addr address)
{
	struct place *place = find(a, address);
	uint64_t now_ms = clock_boot_ms();

	if (!place || !a->repeat || (place->defended_ms && now_ms - place->defended_ms < DEFEND_MS))
		return;
	place->defended_ms = now_ms;
	if (!place->left)
		place->left = 1;
	place->due_ms = now_ms;
	set_turn(a, 0);
}

uint64_t announce_sent(const struct announcer *a)
{
	return a->sent;
}
