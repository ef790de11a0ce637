/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading fixture files: see fixture.h, and README.md of this folder for the form. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setup.h"

enum { VERDICT, EVENT };

static const struct {
	const char *name;
	int class;
} counters[] = {
#define COUNTER_ROW(symbol, class, name, help) { name, class },
	COUNTER_LIST(COUNTER_ROW)
#undef COUNTER_ROW
};

static const char *const states[] = { "none", "syn", "established", "fin", "reset", "udp-new", "udp" };

_Static_assert(sizeof(states) / sizeof(states[0]) == FLOW_STATE_COUNT, "a flow state without name");

/* A file being read. */
struct reader {
	struct fixtures *fixtures;
	const struct frame_name *names;
	const char *path;
	int line;
	struct fixture *fixture; /* the one being read, or NULL */
	struct frame_text *text; /* the frame or answer being read */
	enum { NO_FRAME, IN_FRAME, IN_ANSWER } in;
	int has_counter;
};

const char *fixture_counter_name(unsigned counter)
{
	return counter < COUNTER_COUNT ? counters[counter].name : "none";
}

const char *fixture_state_name(unsigned state)
{
	return state < FLOW_STATE_COUNT ? states[state] : "unknown";
}

int fixture_is_event(unsigned counter)
{
	return counter < COUNTER_COUNT && counters[counter].class == EVENT;
}

static int fail(struct reader *r, const char *what, const char *word)
{
	snprintf(r->fixtures->error, sizeof(r->fixtures->error), "%s:%d: %s%s%s", r->path, r->line, what,
		word ? ": " : "", word ? word : "");
	return -1;
}

static int find_counter(const char *name)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (!strcmp(counters[i].name, name))
			return i;
	return -1;
}

static int finish_frame(struct reader *r)
{
	struct fixture *f = r->fixture;
	uint8_t *bytes;

	if (r->in == NO_FRAME)
		return 0;
	if (frame_text_finish(r->text))
		return fail(r, r->text->error, NULL);
	bytes = malloc(r->text->len + 1);
	if (!bytes)
		return fail(r, "out of memory", NULL);
	memcpy(bytes, r->text->data, r->text->len);
	if (r->in == IN_FRAME) {
		free(f->frame);
		f->frame = bytes;
		f->len = r->text->len;
		f->content = r->text->content;
		f->odd_length = r->text->odd_length;
	} else {
		free(f->answer);
		f->answer = bytes;
		f->answer_len = r->text->len;
	}
	r->in = NO_FRAME;
	return 0;
}

/* Close the fixture being read: is it whole, and does it make sense? */
static int finish_fixture(struct reader *r)
{
	struct fixture *f = r->fixture;
	int forwarded, answered;

	if (!f)
		return 0;
	if (finish_frame(r))
		return -1;
	if (!f->frame || !r->has_counter || !f->shows)
		return fail(r, "the fixture before this line lacks frame, counter or shows", f->name);
	forwarded = f->counter == COUNTER_FORWARDED;
	answered = f->counter == COUNTER_ANSWERED_ARP || f->counter == COUNTER_ANSWERED_ND ||
		f->counter == COUNTER_ANSWERED_ECHO;
	if (forwarded != (f->backend >= 0) || answered != (f->answer != NULL))
		return fail(r,
			"the fixture before this line: 'forwarded' goes with 'to', 'answered_...' with 'answer'",
			f->name);
	f->out = forwarded			  ? FIXTURE_BACKEND
		: answered			  ? FIXTURE_ANSWER
		: f->counter == COUNTER_TO_KERNEL ? FIXTURE_KERNEL
						  : FIXTURE_NOTHING;
	r->fixture = NULL;
	return 0;
}

static int begin_fixture(struct reader *r, const char *name)
{
	struct fixtures *all = r->fixtures;
	struct fixture *list;

	if (finish_fixture(r))
		return -1;
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->list[i].name, name))
			return fail(r, "two fixtures of this name", name);
	list = realloc(all->list, (all->n + 1) * sizeof(*list));
	if (!list)
		return fail(r, "out of memory", NULL);
	all->list = list;
	r->fixture = &list[all->n++];
	*r->fixture = (struct fixture){
		.name = strdup(name),
		.file = r->path,
		.line = r->line,
		.backend = -1,
		.flow = { FIXTURE_NO_FLOW, FLOW_NONE },
		.leaves = { FIXTURE_NO_FLOW, FLOW_NONE },
		.datagram = { FIXTURE_NO_FLOW, 0 },
		.leads = { FIXTURE_NO_FLOW, 0 },
	};
	r->has_counter = 0;
	return r->fixture->name ? 0 : fail(r, "out of memory", NULL);
}

/* "BACKEND STATE" */
static int read_flow(struct reader *r, char *rest, struct fixture_flow *flow)
{
	char *save = NULL, *name = strtok_r(rest, " \t", &save), *state = strtok_r(NULL, " \t", &save);

	flow->backend = name ? setup_backend_id(name) : -1;
	if (flow->backend < 0)
		return fail(r, "no backend of this name", name);
	for (flow->state = 1; state && flow->state < FLOW_STATE_COUNT; flow->state++)
		if (!strcmp(states[flow->state], state))
			return 0;
	return fail(r, "no state of this name", state);
}

/* "BACKEND BYTES" */
static int read_datagram(struct reader *r, const char *rest, struct fixture_datagram *datagram)
{
	char name[32];

	if (sscanf(rest, "%31s %u", name, &datagram->bytes) != 2)
		return fail(r, "a backend and a number of bytes", rest);
	datagram->backend = setup_backend_id(name);
	return datagram->backend < 0 ? fail(r, "no backend of this name", name) : 0;
}

static int read_events(struct reader *r, char *rest)
{
	char *save = NULL;

	for (char *word = strtok_r(rest, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		int counter = find_counter(word);

		if (!fixture_is_event((unsigned)counter))
			return fail(r, "no event counter of this name", word);
		r->fixture->events |= 1ULL << counter;
	}
	return 0;
}

static int read_property(struct reader *r, const char *word, char *rest)
{
	struct fixture *f = r->fixture;
	int counter;

	if (!strcmp(word, "shows")) {
		free(f->shows);
		f->shows = strdup(rest);
		return f->shows && *rest ? 0 : fail(r, "shows what?", NULL);
	}
	if (!strcmp(word, "frame") || !strcmp(word, "answer")) {
		frame_text_begin(r->text, r->names);
		r->in = *word == 'f' ? IN_FRAME : IN_ANSWER;
		return 0;
	}
	if (!strcmp(word, "counter")) {
		counter = find_counter(rest);
		if (counter < 0 || counters[counter].class != VERDICT)
			return fail(r, "no verdict counter of this name", rest);
		f->counter = (enum counter)counter;
		r->has_counter = 1;
		return 0;
	}
	if (!strcmp(word, "events"))
		return read_events(r, rest);
	if (!strcmp(word, "flow"))
		return read_flow(r, rest, &f->flow);
	if (!strcmp(word, "leaves"))
		return read_flow(r, rest, &f->leaves);
	if (!strcmp(word, "datagram")) {
		if (read_datagram(r, rest, &f->datagram))
			return -1;
		f->leads = f->datagram;
		return 0;
	}
	if (!strcmp(word, "leads"))
		return read_datagram(r, rest, &f->leads);
	if (!strcmp(word, "to")) {
		f->backend = setup_backend_id(rest);
		return f->backend < 0 ? fail(r, "no backend of this name", rest) : 0;
	}
	return fail(r, "not a word of the language", word);
}

static int read_line(struct reader *r, char *line)
{
	char word[32], *rest;

	line[strcspn(line, "#\r\n")] = 0;
	for (size_t n = strlen(line); n && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--)
		line[n - 1] = 0;
	if (sscanf(line, "%31s", word) != 1)
		return 0;
	if (r->in != NO_FRAME && frame_text_knows(word))
		return frame_text_add(r->text, line) ? fail(r, r->text->error, NULL) : 0;
	rest = line + strspn(line, " \t");
	rest += strcspn(rest, " \t");
	rest += strspn(rest, " \t");
	if (!strcmp(word, "fixture"))
		return *rest ? begin_fixture(r, rest) : fail(r, "a fixture without name", NULL);
	if (!r->fixture)
		return fail(r, "before the first fixture", word);
	return finish_frame(r) ? -1 : read_property(r, word, rest);
}

int fixtures_load(struct fixtures *f, const char *path, const struct frame_name *names)
{
	struct reader r = { .fixtures = f, .names = names, .path = path };
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int result = -1;

	r.text = malloc(sizeof(*r.text));
	if (!file || !r.text) {
		fail(&r, strerror(errno), NULL);
		goto out;
	}
	while (getline(&line, &size, file) >= 0) {
		r.line++;
		if (read_line(&r, line))
			goto out;
	}
	result = finish_fixture(&r);
out:
	free(line);
	free(r.text);
	if (file)
		fclose(file);
	return result;
}

void fixtures_free(struct fixtures *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].name);
		free(f->list[i].shows);
		free(f->list[i].frame);
		free(f->list[i].answer);
	}
	free(f->list);
	*f = (struct fixtures){ 0 };
}

size_t fixture_expected(const struct fixture *f, const struct mac *own, uint8_t *out)
{
	const struct frame_name *n;

	if (f->out == FIXTURE_ANSWER) {
		memcpy(out, f->answer, f->answer_len);
		return f->answer_len;
	}
	memcpy(out, f->frame, f->len);
	if (f->out == FIXTURE_BACKEND) {
		for (n = setup_names(own); strcmp(n->name, setup_backend_name((unsigned)f->backend)); n++)
			;
		memcpy(out, &n->mac, 6);
		memcpy(out + 6, own, 6);
	}
	return f->len;
}
