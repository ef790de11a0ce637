/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backends' MACs out of the kernel's neighbour table. One struct neighbour an address, however many pools
 * have a backend there. A neighbour that is not known to be reachable always has its timer running, so
 * that a lost event costs time and nothing else.
 */
#include "neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "clock.h"
#include "log.h"
#include "sorted.h"

#define ASK_FIRST_MS 1000  /* doubled with every question that stays without answer ... */
#define ASK_LAST_MS 30000  /* ... up to this */
#define ASK_SPACING_US 500 /* between questions when many are due at once */
#define OVERFLOW_KEPT_MS 60000

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct user {
	struct user *next;
	struct neighbour *neighbour;
	struct backend *backend;
};

struct neighbour {
	struct neighbours *all;
	struct addr address;
	struct user *users;
	uint32_t port;
	struct event *timer;
	unsigned int questions; /* since it was last usable */
	uint16_t state;         /* the kernel's NUD_*, 0: it has no entry */
	uint16_t dumped;        /* the same during a dump */
	struct mac dumped_mac;
	bool mac_known;
	bool failure_told; /* in the log, since it was last usable */
	struct mac mac;
};

struct neighbours {
	struct event_base *base;
	struct netlink *netlink;
	struct ports *ports;
	struct model *model;
	struct netlink_listener events;
	struct ports_listener links;
	struct model_listener changes;
	struct sorted by_address; /* of struct neighbour */
	uint64_t overflow_ms;     /* when the kernel's table was found full last; 0: never */
};

static int compare_address(const void *key, const void *item)
{
	return address_compare(*(const struct addr *)key, ((const struct neighbour *)item)->address);
}

static struct neighbour *find(const struct neighbours *all, struct addr address)
{
	size_t position;

	return sorted_find(&all->by_address, &address, compare_address, &position) ? all->by_address.item[position] :
										     NULL;
}

static void wake_after(struct neighbour *n, uint64_t us)
{
	struct timeval delay = { .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };

	event_add(n->timer, &delay);
}

/* Until the next question: doubling, and up to a quarter more so that many don't ask in step. */
static uint64_t patience_us(const struct neighbour *n)
{
	unsigned int doublings = n->questions > 1 ? n->questions - 1 : 0;
	uint64_t ms = doublings < 5 ? ASK_FIRST_MS << doublings : ASK_LAST_MS;

	return ms * 1000 + ms * 250 * ((uint64_t)random() & 0xff) / 0xff;
}

/* Where it is full, some still find room, by and by: it is so until nobody has been refused for a while. */
static bool is_full(const struct neighbours *all)
{
	return all->overflow_ms && clock_boot_ms() - all->overflow_ms < OVERFLOW_KEPT_MS;
}

static void note_overflow(struct neighbours *all, int error)
{
	if (error != -ENOBUFS)
		return;
	if (!is_full(all))
		log_warning("the kernel's neighbour table is full: raise net.ipv4.neigh.default.gc_thresh3 and the same "
			    "of net.ipv6 above the number of backends");
	all->overflow_ms = clock_boot_ms();
}

static const struct interface *interface_of(const struct neighbour *n)
{
	return ports_interface(n->all->ports, n->port);
}

static struct nlmsghdr *begin(const struct neighbour *n, uint16_t type, uint16_t flags, uint8_t neighbour_flags)
{
	struct nlmsghdr *message = netlink_begin(n->all->netlink, type, flags);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ndm_family = (uint8_t)address_family(n->address);
	head->ndm_ifindex = (int)interface_index(interface_of(n));
	head->ndm_flags = neighbour_flags;
	netlink_put_addr(message, NDA_DST, n->address);
	return message;
}

/* Have the kernel use the entry: it resolves a new or failed one, and confirms a stale one. */
static void ask(struct neighbour *n)
{
	struct neighbours *all = n->all;
	int error;

	if (!interface_index(interface_of(n)))
		return;
	error = netlink_request(all->netlink, begin(n, RTM_NEWNEIGH, NLM_F_CREATE, NTF_USE));
	if (error && error != -ENOBUFS)
		log_debug("a neighbour can't be asked for: %s", strerror(-error));
	note_overflow(all, error);
}

static void learn(struct neighbour *n, const struct mac *mac)
{
	char address[ADDRESS_TEXT], text[ADDRESS_MAC_TEXT], before[ADDRESS_MAC_TEXT];
	const char *fault = address_mac_fault(mac);

	address_print(n->address, address);
	address_print_mac(mac, text);
	if (fault) {
		log_warning("backend %s: the neighbour table has %s, which %s: not used", address, text, fault);
		return;
	}
	if (n->mac_known && memcmp(&n->mac, mac, sizeof(*mac)) == 0)
		return;
	if (n->mac_known)
		log_notice("backend %s: MAC is now %s, was %s", address, text, address_print_mac(&n->mac, before));
	else
		log_info("backend %s: MAC is %s", address, text);
	n->mac_known = true;
	n->mac = *mac;
	for (struct user *u = n->users; u; u = u->next)
		model_set_mac(n->all->model, u->backend, mac);
}

static void note_failure(struct neighbour *n)
{
	char address[ADDRESS_TEXT], text[ADDRESS_MAC_TEXT];

	/* The first question may have been lost to a switch that wakes up; by the second it is news. */
	if (n->questions < 2 || n->failure_told)
		return;
	n->failure_told = true;
	address_print(n->address, address);
	if (n->mac_known)
		log_warning("backend %s: no answer to neighbour requests on %s: keeping MAC %s, asking on", address,
			interface_name(interface_of(n)), address_print_mac(&n->mac, text));
	else
		log_warning("backend %s: no answer to neighbour requests on %s: no MAC, asking on", address,
			interface_name(interface_of(n)));
}

static void note_answer(struct neighbour *n)
{
	char address[ADDRESS_TEXT];

	n->failure_told = false;
	log_info("backend %s: answers neighbour requests again", address_print(n->address, address));
}

/* The kernel's entry is this now; state 0: it has none. mac: NULL if it says none. */
static void note_state(struct neighbour *n, uint16_t state, const struct mac *mac, uint64_t spread_us)
{
	uint16_t before = n->state;

	n->state = state;
	if ((state & NUD_USABLE) && mac) {
		n->questions = 0;
		if (state & NUD_STALE)
			wake_after(n, spread_us);
		else
			event_del(n->timer);
		if (n->failure_told && !(state & (NUD_STALE | NUD_DELAY | NUD_PROBE)))
			note_answer(n);
		learn(n, mac);
		return;
	}
	if (state & NUD_FAILED) {
		note_failure(n);
		wake_after(n, n->questions ? patience_us(n) : spread_us);
	} else if (state == 0 && before != 0) {
		/* Flushed or collected as garbage: at once, but not in a race with somebody who flushes on. */
		wake_after(n, ASK_FIRST_MS * 100 + spread_us);
	} else if (!evtimer_pending(n->timer, NULL)) {
		wake_after(n, n->questions ? patience_us(n) : spread_us);
	}
}

/* The neighbour we know that the message is of, on the interface it is behind; else NULL. */
static struct neighbour *parse(struct neighbours *all, const struct nlmsghdr *message, uint16_t *state,
	struct mac *mac, bool *has_mac)
{
	const struct ndmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	bool has_address = false;
	struct neighbour *n;
	struct addr address;

	if (message->nlmsg_len < mnl_nlmsg_size(sizeof(*head)) || (head->ndm_flags & NTF_PROXY))
		return NULL;
	*state = message->nlmsg_type == RTM_DELNEIGH ? 0 : head->ndm_state;
	*has_mac = false;
	mnl_attr_for_each(attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == NDA_DST)
			has_address = netlink_get_addr(attribute, head->ndm_family, &address);
		if (mnl_attr_get_type(attribute) == NDA_LLADDR &&
			mnl_attr_get_payload_len(attribute) == sizeof(*mac)) {
			memcpy(mac, mnl_attr_get_payload(attribute), sizeof(*mac));
			*has_mac = true;
		}
	}
	n = has_address ? find(all, address) : NULL;
	return n && (unsigned int)head->ndm_ifindex == interface_index(interface_of(n)) ? n : NULL;
}

static void on_message(void *context, const struct nlmsghdr *message)
{
	struct neighbours *all = context;
	struct neighbour *n;
	uint16_t state;
	struct mac mac;
	bool has_mac;

	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
		return;
	n = parse(all, message, &state, &mac, &has_mac);
	if (n)
		note_state(n, state, has_mac ? &mac : NULL, 0);
}

/* During a dump only take note: the model's listeners may want netlink's buffer. */
static int note_dumped(const struct nlmsghdr *message, void *context)
{
	struct neighbour *n;
	uint16_t state;
	struct mac mac;
	bool has_mac;

	n = parse(context, message, &state, &mac, &has_mac);
	if (n) {
		n->dumped = has_mac ? state : (uint16_t)(state & ~NUD_USABLE);
		n->dumped_mac = mac;
	}
	return MNL_CB_OK;
}

static int dump(struct neighbours *all, uint32_t port, int family)
{
	struct nlmsghdr *message = netlink_begin(all->netlink, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ndm_family = (uint8_t)family;
	mnl_attr_put_u32(message, NDA_IFINDEX, interface_index(ports_interface(all->ports, port)));
	return netlink_query(all->netlink, message, note_dumped, all);
}

/* Look at the kernel's whole table of a port and ask, spread over time, for what is not in it. */
static void look(struct neighbours *all, uint32_t port)
{
	struct sorted *list = &all->by_address;
	size_t n_behind = 0;
	int error;

	for (size_t i = 0; i < list->n; i++)
		((struct neighbour *)list->item[i])->dumped = 0;
	error = dump(all, port, AF_INET);
	if (!error)
		error = dump(all, port, AF_INET6);
	if (error)
		log_warning("the neighbour table can't be read: %s", strerror(-error));
	for (size_t i = 0; i < list->n; i++) {
		struct neighbour *n = list->item[i];

		if (n->port == port)
			note_state(n, n->dumped, n->dumped & NUD_USABLE ? &n->dumped_mac : NULL,
				n_behind++ * ASK_SPACING_US);
	}
}

static void on_lost(void *context)
{
	struct neighbours *all = context;

	for (uint32_t port = 0; port < ports_count(all->ports); port++)
		if (interface_index(ports_interface(all->ports, port)))
			look(all, port);
}

static void on_up(void *context, uint32_t port)
{
	struct neighbours *all = context;

	for (size_t i = 0; i < all->by_address.n; i++) {
		struct neighbour *n = all->by_address.item[i];

		if (n->port != port)
			continue;
		n->questions = 0;
		n->state = 0;
	}
	look(all, port);
}

static void on_down(void *context, uint32_t port)
{
	struct neighbours *all = context;

	for (size_t i = 0; i < all->by_address.n; i++) {
		struct neighbour *n = all->by_address.item[i];

		if (n->port != port)
			continue;
		n->state = 0;
		event_del(n->timer);
	}
}

/* One that was just added may have an entry already: only asking for it would bring no event. */
static void look_for(struct neighbour *n)
{
	n->dumped = 0;
	netlink_query(n->all->netlink, begin(n, RTM_GETNEIGH, 0, 0), note_dumped, n->all);
	note_state(n, n->dumped, n->dumped & NUD_USABLE ? &n->dumped_mac : NULL, 0);
}

static void set_port(struct neighbours *all, struct backend *backend, uint32_t port)
{
	model_set_port(all->model, backend, (uint16_t)port, ports_reach(all->ports, port));
}

/* Whether the routes have it behind another port now; then it is looked for there. */
static bool move(struct neighbour *n)
{
	uint32_t port = ports_of(n->all->ports, n->address);

	if (port == n->port)
		return false;
	n->port = port;
	n->questions = 0;
	n->state = 0;
	event_del(n->timer);
	for (struct user *u = n->users; u; u = u->next)
		set_port(n->all, u->backend, port);
	if (interface_index(interface_of(n)))
		look_for(n);
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct neighbour *n = context;

	(void)fd;
	(void)what;
	/* Who does not answer may have been moved behind another port by a route nobody told of. */
	if (n->questions && move(n))
		return;
	ask(n);
	n->questions++;
	/* For a stale one this is the guard against a lost event, too. */
	wake_after(n, patience_us(n));
}

/* Links or addresses have changed. */
static void on_routes(void *context)
{
	struct neighbours *all = context;

	for (size_t i = 0; i < all->by_address.n; i++) {
		struct neighbour *n = all->by_address.item[i];

		move(n);
		/* Behind the same port, which may be reached now, or not any more. */
		for (struct user *u = n->users; u; u = u->next)
			set_port(all, u->backend, n->port);
	}
	for (struct pool *p = model_pools(all->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (b->mac_pinned)
				set_port(all, b, ports_of(all->ports, b->address));
}

static struct neighbour *find_or_make(struct neighbours *all, struct addr address)
{
	struct neighbour *n;
	size_t position;

	if (sorted_find(&all->by_address, &address, compare_address, &position))
		return all->by_address.item[position];
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->all = all;
	n->address = address;
	n->port = ports_of(all->ports, address);
	n->timer = evtimer_new(all->base, on_timer, n);
	if (!n->timer || sorted_insert(&all->by_address, position, n) < 0) {
		if (n->timer)
			event_free(n->timer);
		free(n);
		return NULL;
	}
	return n;
}

static void follow(struct neighbours *all, struct backend *backend)
{
	struct user *user = calloc(1, sizeof(*user));
	struct neighbour *n = user ? find_or_make(all, backend->address) : NULL;
	bool known;

	if (!n) {
		free(user);
		log_error("no memory to follow a backend's MAC");
		return;
	}
	known = n->users != NULL;
	user->neighbour = n;
	user->backend = backend;
	user->next = n->users;
	n->users = user;
	backend->neighbour = user;
	set_port(all, backend, n->port);
	if (n->mac_known) {
		model_set_mac(all->model, backend, &n->mac);
	} else if (backend->mac_known) {
		/* From the state file: as good a guess as any until the kernel says better. */
		n->mac_known = true;
		n->mac = backend->mac;
	}
	if (!known && interface_index(interface_of(n)))
		look_for(n);
}

static void forget_neighbour(struct neighbours *all, struct neighbour *n)
{
	size_t position;

	if (sorted_find(&all->by_address, &n->address, compare_address, &position))
		sorted_remove(&all->by_address, position);
	event_free(n->timer);
	free(n);
}

static void unfollow(struct neighbours *all, struct backend *backend)
{
	struct user *user = backend->neighbour;
	struct user **link;

	if (!user)
		return;
	backend->neighbour = NULL;
	for (link = &user->neighbour->users; *link != user; link = &(*link)->next)
		;
	*link = user->next;
	if (!user->neighbour->users)
		forget_neighbour(all, user->neighbour);
	free(user);
}

/* Added, or its MAC pinned or no longer so. */
static void on_backend(void *context, struct backend *backend)
{
	struct neighbours *all = context;

	if (backend->mac_pinned) {
		unfollow(all, backend);
		set_port(all, backend, ports_of(all->ports, backend->address));
	} else if (!backend->neighbour)
		follow(all, backend);
}

static void on_backend_removed(void *context, struct backend *backend)
{
	unfollow(context, backend);
}

struct neighbours *neighbour_open(struct event_base *base, struct netlink *netlink, struct ports *ports,
	struct model *model)
{
	struct neighbours *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->base = base;
	all->netlink = netlink;
	all->ports = ports;
	all->model = model;
	all->events = (struct netlink_listener){ .context = all, .message = on_message, .lost = on_lost };
	all->links = (struct ports_listener){ .context = all, .up = on_up, .down = on_down, .routes = on_routes };
	all->changes = (struct model_listener){
		.context = all,
		.backend_added = on_backend,
		.backend_changed = on_backend,
		.backend_removed = on_backend_removed,
	};
	netlink_listen(netlink, &all->events);
	ports_listen(ports, &all->links);
	for (struct pool *p = model_pools(model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			on_backend(all, b);
	model_listen(model, &all->changes);
	return all;
}

void neighbour_close(struct neighbours *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->by_address.n; i++) {
		struct neighbour *n = all->by_address.item[i];

		while (n->users) {
			struct user *user = n->users;

			n->users = user->next;
			user->backend->neighbour = NULL;
			free(user);
		}
		event_free(n->timer);
		free(n);
	}
	sorted_free(&all->by_address);
	free(all);
}

void neighbour_doubt(struct neighbours *all, const struct backend *backend)
{
	struct user *user = backend->neighbour;
	struct neighbour *n = user ? user->neighbour : NULL;

	if (!n || !interface_index(interface_of(n)) || !(n->state & NUD_USABLE) ||
		(n->state & (NUD_PERMANENT | NUD_NOARP)))
		return;
	if (netlink_request(all->netlink, begin(n, RTM_DELNEIGH, 0, 0)) == 0)
		ask(n);
}

static int note_found(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWNEIGH)
		*(bool *)context = true;
	return MNL_CB_OK;
}

bool neighbour_unasked(struct neighbours *all, const struct backend *backend)
{
	/* Also of those with a pinned MAC: the kernel's own packets need an entry as well. */
	struct neighbour n = { .all = all, .address = backend->address, .port = backend->port };
	bool found = false, full = is_full(all);
	int error;

	if (!interface_index(interface_of(&n)))
		return false;
	error = netlink_query(all->netlink, begin(&n, RTM_GETNEIGH, 0, 0), note_found, &found);
	if (found || (error && error != -ENOENT))
		return false;
	/* One that did not answer goes when there is no room, so that it may well be asked for now. */
	error = netlink_request(all->netlink, begin(&n, RTM_NEWNEIGH, NLM_F_CREATE, NTF_USE));
	note_overflow(all, error);
	return full || error == -ENOBUFS;
}

static long table_limit(const char *family)
{
	char path[80];
	long limit = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/neigh/default/gc_thresh3", family);
	file = fopen(path, "re");
	if (!file)
		return -1; /* only the first network namespace shows it */
	if (fscanf(file, "%ld", &limit) != 1)
		limit = -1;
	fclose(file);
	return limit;
}

static void warn_of_limit(json_t *warnings, const char *family, size_t backends)
{
	long limit = table_limit(family);

	if (limit >= 0 && backends > (size_t)limit)
		json_array_append_new(warnings,
			json_sprintf("net.%s.neigh.default.gc_thresh3 is %ld, fewer than the %zu backends whose MACs the "
				     "neighbour table has to hold: raise it",
				family, limit, backends));
}

void neighbour_warnings(const struct neighbours *all, json_t *warnings)
{
	const struct neighbour *first = NULL;
	size_t unknown = 0, ipv4 = 0;
	char address[ADDRESS_TEXT];

	for (size_t i = 0; i < all->by_address.n; i++) {
		const struct neighbour *n = all->by_address.item[i];

		ipv4 += addr_is_ipv4(n->address);
		if (n->mac_known)
			continue;
		unknown++;
		first = first ? first : n;
	}
	if (first)
		json_array_append_new(warnings,
			json_sprintf(unknown > 1 ? "no MAC known of %zu backends, one is %s" :
						   "no MAC known of %zu backend: %s",
				unknown, address_print(first->address, address)));
	if (is_full(all))
		json_array_append_new(warnings, json_string("the kernel's neighbour table is full"));
	warn_of_limit(warnings, "ipv4", ipv4);
	warn_of_limit(warnings, "ipv6", all->by_address.n - ipv4);
}
