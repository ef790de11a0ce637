/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames written down layer by layer, one line each, as in
 *
 *	eth    src=router dst=lb
 *	ipv4   src=198.51.100.2 dst=192.0.2.80 ttl=63
 *	tcp    sport=40000 dport=80 flags=S
 *
 * and turned into bytes. Types, lengths and checksums come by themselves unless a line gives them; so a wrong
 * one is written as easily as a right one. The language is described in README.md of this folder.
 */
#ifndef SHUNT_FRAME_TEXT_H
#define SHUNT_FRAME_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define FRAME_TEXT_MAX 70000
#define FRAME_TEXT_LAYERS 24

/* A name that may stand for a MAC address in the text. */
struct frame_name {
	const char *name;
	struct mac mac;
};

struct frame_layer {
	const struct frame_layer_kind *kind;
	size_t start;
	size_t header;  /* bytes of its header; the rest is what it carries */
	unsigned given; /* fields the text gave, which are not to be computed */
};

/* A frame in the making. */
struct frame_text {
	const struct frame_name *names;
	struct frame_layer layer[FRAME_TEXT_LAYERS];
	int n_layers;
	size_t pad_to;  /* 0: no padding */
	size_t cut_to;  /* SIZE_MAX: no cut */
	size_t cut_by;
	size_t content; /* bytes before padding and cutting, once finished */
	int odd_length; /* the text gave some IP header's length */
	size_t len;
	uint8_t data[FRAME_TEXT_MAX];
	char error[160];
};

/* Begin a frame. names: ended by one without a name; the caller's, kept until the last line. */
void frame_text_begin(struct frame_text *t, const struct frame_name *names);

/* Whether a line that begins with this word is one of the language. */
int frame_text_knows(const char *word);

/* Add one line; it is taken to pieces. Returns 0, or -1 with t->error. */
int frame_text_add(struct frame_text *t, char *line);

/* After the last line: types, lengths, checksums, padding. t->data and t->len are the frame then. */
int frame_text_finish(struct frame_text *t);

/* A frame's first bytes to standard output, in hexadecimal, one line. */
void frame_text_print(const char *title, const uint8_t *bytes, size_t len);

/* Give an IPv4 header, as long as it says, the checksum that it should have. */
void frame_ipv4_seal(uint8_t *header);

#endif
