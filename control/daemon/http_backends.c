/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /metrics, of backends. There may be thousands of them, each with a line for each metric, and checks wait
 * meanwhile: so the lines are put together by hand, each backend's labels once.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "http.h"
#include "text.h"

static uint64_t get_up(const struct backend *backend)
{
	return model_backend_state(backend) == STATE_UP;
}

static uint64_t get_healthy(const struct backend *backend)
{
	return backend->healthy;
}

static uint64_t get_suspect(const struct backend *backend)
{
	return backend->suspect;
}

static uint64_t get_draining(const struct backend *backend)
{
	return backend->draining;
}

static uint64_t get_drained(const struct backend *backend)
{
	return model_backend_state(backend) == STATE_DRAINED;
}

static uint64_t get_cut(const struct backend *backend)
{
	return backend->draining ? backend->drain.cut : 0;
}

static uint64_t get_disabled(const struct backend *backend)
{
	return backend->disabled;
}

static uint64_t get_returning(const struct backend *backend)
{
	return backend->returning;
}

static uint64_t get_weight(const struct backend *backend)
{
	return backend->weight;
}

static uint64_t get_share(const struct backend *backend)
{
	return backend->ramp;
}

static uint64_t get_active(const struct backend *backend)
{
	return backend->active_flows;
}

static uint64_t get_closing(const struct backend *backend)
{
	return backend->closing_flows;
}

static uint64_t get_packets(const struct backend *backend)
{
	return backend->traffic.packets;
}

static uint64_t get_bytes(const struct backend *backend)
{
	return backend->traffic.bytes;
}

static uint64_t get_new_flows(const struct backend *backend)
{
	return backend->traffic.new_flows;
}

static uint64_t get_syns(const struct backend *backend)
{
	return backend->traffic.syns;
}

static uint64_t get_handshakes(const struct backend *backend)
{
	return backend->traffic.handshakes;
}

static uint64_t get_syn_repeats(const struct backend *backend)
{
	return backend->traffic.syn_repeats;
}

static const struct metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct backend *backend);
	uint64_t whole; /* not 0: the value is a share, and this the whole */
} metrics[] = {
	{ "backend_up", "gauge", "Whether the backend takes new flows as far as state goes.", get_up },
	{ "backend_healthy", "gauge", "The last judgement of its check.", get_healthy },
	{ "backend_suspect", "gauge", "Whether handshakes with the backend have stopped.", get_suspect },
	{ "backend_draining", "gauge", "Whether the backend is draining or drained.", get_draining },
	{ "backend_drained", "gauge", "Whether its drain is over.", get_drained },
	{ "backend_drain_cut_flows", "gauge", "Flows that its drain cut at the deadline.", get_cut },
	{ "backend_disabled", "gauge", "Whether the backend is disabled.", get_disabled },
	{ "backend_returning", "gauge", "Whether the backend, enabled again, waits for its check.",
		get_returning },
	{ "backend_weight", "gauge", "Its share of new flows.", get_weight },
	{ "backend_share_ratio", "gauge", "Slow start: how much of its weight the backend has.", get_share,
		RAMP_FULL },
	{ "backend_flows_active", "gauge", "Flows in use, by backend.", get_active },
	{ "backend_flows_closing", "gauge", "Flows that have seen a FIN or RST, by backend.", get_closing },
	{ "backend_packets_total", "counter", "Packets sent to the backend.", get_packets },
	{ "backend_bytes_total", "counter", "Bytes of frames sent to the backend.", get_bytes },
	{ "backend_new_flows_total", "counter", "Flows that began on the backend.", get_new_flows },
	{ "backend_syns_total", "counter", "TCP SYNs that began a flow on the backend.", get_syns },
	{ "backend_handshakes_total", "counter", "Of these, those whose client went on: the backend had answered.",
		get_handshakes },
	{ "backend_syn_repeats_total", "counter", "SYNs of flows that were half-open on the backend already.",
		get_syn_repeats },
};

/* A backend with its labels, "{pool="web",backend="10.0.0.11"} ", which begin at this place of a text. */
struct labelled {
	const struct backend *backend;
	size_t at;
};

/* Those there are, into *all, to be freed; how many, or 0 when there is no memory. Names need no escapes. */
static size_t label(const struct daemon *daemon, struct labelled **all, struct text *labels)
{
	char address[ADDRESS_TEXT];
	size_t n = 0;

	*all = calloc(model_count(daemon->model).backends + 1, sizeof(**all));
	for (const struct pool *p = model_pools(daemon->model); *all && p; p = p->next)
		for (const struct backend *b = p->backends; b; b = b->next) {
			if (b->removed)
				continue;
			(*all)[n++] = (struct labelled){ .backend = b, .at = labels->size };
			text_add(labels, "{pool=\"");
			text_add(labels, p->name);
			text_add(labels, "\",backend=\"");
			text_add(labels, address_print(b->address, address));
			text_add(labels, "\"} ");
			text_add_end(labels);
		}
	return labels->failed ? 0 : n;
}

static void put_value(struct text *text, const struct metric *metric, uint64_t value)
{
	if (metric->whole && value < metric->whole) {
		text_add(text, "0.");
		for (uint64_t place = metric->whole / 10; place; place /= 10)
			text_add_number(text, value / place % 10);
	} else {
		text_add_number(text, metric->whole ? 1 : value);
	}
	text_add(text, "\n");
}

static void release(const void *data, size_t size, void *context)
{
	(void)size;
	(void)context;
	free((void *)data);
}

void http_put_backends(const struct daemon *daemon, struct evbuffer *out)
{
	struct text text = { 0 }, labels = { 0 };
	struct labelled *all;
	size_t n = label(daemon, &all, &labels);

	for (const struct metric *m = metrics; m < metrics + sizeof(metrics) / sizeof(*metrics); m++) {
		const char *const head[] = { "# HELP shunt_", m->name, " ", m->help, "\n# TYPE shunt_", m->name,
			" ", m->type, "\n" };

		for (size_t i = 0; i < sizeof(head) / sizeof(*head); i++)
			text_add(&text, head[i]);
		for (size_t i = 0; i < n; i++) {
			text_add(&text, "shunt_");
			text_add(&text, m->name);
			text_add(&text, labels.data + all[i].at);
			put_value(&text, m, m->value(all[i].backend));
		}
	}
	if (text.failed || evbuffer_add_reference(out, text.data, text.size, release, NULL) < 0)
		free(text.data);
	free(labels.data);
	free(all);
}
