/* SPDX-License-Identifier: BSD-3-Clause */
/* Events: the log line, the ring of what was told last, and who is told. */
#include "events.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "log.h"

#define RUN_TEXT 17

static struct {
	struct event_entry *entry; /* EVENT_RING of them; NULL: not open */
	uint64_t last;		   /* sequence number of the newest; 0: none */
	struct event *turn;	   /* tells the listeners */
	struct events_listener *listeners;
	uint64_t count[EVENT_KIND_COUNT];
	char run[RUN_TEXT];
} ring;

#define EVENT_KIND_INFO(constant, name, priority, words, help)                                                    \
	[EVENT_##constant] = { name, priority, words, help },
const struct event_kind_info event_kind_infos[EVENT_KIND_COUNT] = { EVENT_KINDS(EVENT_KIND_INFO) };
#undef EVENT_KIND_INFO

/* What others said may be part of it: no control characters, and UTF-8 as JSON wants it. */
static void clean(char *text)
{
	json_t *json;

	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	json = json_string(text);
	for (char *c = text; !json && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json_decref(json);
}

const char *event_message(const struct event_entry *entry, char *text)
{
	const char *words = event_kind_infos[entry->kind].words;
	char object[NAME_MAX_LEN + ADDRESS_TEXT + 16] = "";

	if (entry->backend[0])
		snprintf(object, sizeof(object), "backend %s %s: ", entry->pool, entry->backend);
	else if (entry->pool[0])
		snprintf(object, sizeof(object), "pool %s: ", entry->pool);
	snprintf(
		text, EVENT_MESSAGE, "%s%s%s%s", object, words, *words && entry->text[0] ? ": " : "", entry->text);
	return text;
}

static void keep(const struct event_entry *entry)
{
	struct event_entry *place = &ring.entry[(ring.last + 1) % EVENT_RING];

	*place = *entry;
	place->sequence = ++ring.last;
	ring.count[entry->kind]++;
	event_active(ring.turn, EV_TIMEOUT, 0);
}

void event_tell(
	enum event_kind kind, const struct pool *pool, const struct backend *backend, const char *format, ...)
{
	struct event_entry entry = { .kind = kind };
	char message[EVENT_MESSAGE];
	struct timespec now;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	entry.time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (backend) {
		address_print(backend->address, entry.backend);
		pool = backend->pool;
	}
	if (pool)
		snprintf(entry.pool, sizeof(entry.pool), "%s", pool->name);
	va_start(args, format);
	vsnprintf(entry.text, sizeof(entry.text), format, args);
	va_end(args);
	clean(entry.text);
	log_write(event_kind_infos[kind].priority, "%s", event_message(&entry, message));
	if (ring.entry)
		keep(&entry);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	struct events_listener *next;

	(void)fd;
	(void)what;
	(void)context;
	for (struct events_listener *l = ring.listeners; l; l = next) {
		next = l->next;
		l->told(l->context);
	}
}

/* Only to tell runs apart: where no randomness is to be had, the time does. */
static void name_run(void)
{
	uint64_t number;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	number = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		errno = 0;
	snprintf(ring.run, sizeof(ring.run), "%016llx", (unsigned long long)number);
}

int events_open(struct event_base *base)
{
	ring.entry = calloc(EVENT_RING, sizeof(*ring.entry));
	ring.turn = event_new(base, -1, 0, on_turn, NULL);
	if (!ring.entry || !ring.turn) {
		events_close();
		return -ENOMEM;
	}
	name_run();
	return 0;
}

void events_close(void)
{
	if (ring.turn)
		event_free(ring.turn);
	free(ring.entry);
	memset(&ring, 0, sizeof(ring));
}

void events_listen(struct events_listener *listener)
{
	listener->next = ring.listeners;
	ring.listeners = listener;
}

void events_unlisten(struct events_listener *listener)
{
	for (struct events_listener **l = &ring.listeners; *l; l = &(*l)->next)
		if (*l == listener) {
			*l = listener->next;
			return;
		}
}

uint64_t events_last(void)
{
	return ring.last;
}

uint64_t events_first(void)
{
	return ring.last > EVENT_RING ? ring.last - EVENT_RING + 1 : 1;
}

const struct event_entry *events_get(uint64_t sequence)
{
	if (!ring.entry || sequence < events_first() || sequence > ring.last)
		return NULL;
	return &ring.entry[sequence % EVENT_RING];
}

const char *events_run(void)
{
	return ring.run;
}

uint64_t events_count(enum event_kind kind)
{
	return ring.count[kind];
}

int event_kind_from_name(const char *name)
{
	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
		if (!strcmp(event_kind_infos[kind].name, name))
			return kind;
	return -EINVAL;
}
