/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between frame_text.c, which knows lines and words, and frame_layers.c, which knows protocols. Mistakes in
 * the text go into frame_text.error; the first one stays.
 */
#ifndef SHUNT_FRAME_LAYERS_H
#define SHUNT_FRAME_LAYERS_H

#include "frame_text.h"

/* Fields that a line may give instead of having them computed. */
#define GIVEN_NEXT 0x1u  /* EtherType or protocol of what follows */
#define GIVEN_LEN 0x2u
#define GIVEN_CHECK 0x4u

struct frame_words;

struct frame_layer_kind {
	const char *name;
	int ethertype; /* that announces it; -1: none does */
	int protocol;  /* IP protocol number that announces it; -1: none does */
	/* Append the header. */
	void (*add)(struct frame_text *t, struct frame_words *w, struct frame_layer *l);
	/* Compute what was not given; next: the layer behind it or NULL; end: of what it carries. May be NULL. */
	void (*finish)(struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end);
};

extern const struct frame_layer_kind frame_layer_kinds[]; /* ended by one without a name */

/* The value of a word, or NULL. */
const char *frame_word(struct frame_words *w, const char *key);
unsigned long frame_number(struct frame_words *w, const char *key, unsigned long otherwise);
/* The same; if the text has it, also sets the bit in l->given. */
unsigned long frame_given(struct frame_words *w, const char *key, struct frame_layer *l, unsigned bit);
struct mac frame_mac(struct frame_words *w, const char *key);
void frame_address(struct frame_words *w, const char *key, int family, void *bytes);

/* Append bytes, or zeros where bytes is NULL; returns where they are now. */
uint8_t *frame_append(struct frame_text *t, const void *bytes, size_t size);
/* Append the bytes that key= gives as hex digits; returns how many. */
size_t frame_append_hex(struct frame_words *w, const char *key);

int frame_fail(struct frame_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
