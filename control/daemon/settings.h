/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every setting of shunt.conf, once: its path, type, range, default and meaning, and where its value goes.
 * Parsing, the errors for unknown settings and for values that don't fit, the commented file, "save" and
 * the comparison at a reload all follow from this table. (The idea is Knot DNS's.)
 */
#ifndef SHUNT_SETTINGS_H
#define SHUNT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"

enum setting_type {	   /* the value's type in its struct: */
	SETTING_GROUP,	   /* none */
	SETTING_LIST,	   /* of groups: a pointer to their structs, and a size_t count */
	SETTING_STRINGS,   /* struct strings */
	SETTING_TEXT,	   /* char *; min..max: length */
	SETTING_PATH,	   /* char *, absolute; max: length */
	SETTING_INTERFACE, /* char * */
	SETTING_CORES,	   /* char *: "2-3", "2,4" */
	SETTING_LISTEN,	   /* char *: "" or ADDR:PORT */
	SETTING_NAME,	   /* char[NAME_MAX_LEN + 1] */
	SETTING_NUMBER,	   /* unsigned of 1, 2, 4 or 8 bytes; min..max */
	SETTING_BOOL,	   /* bool */
	SETTING_DURATION,  /* uint32_t: ms, or s if .seconds; min..max: ms */
	SETTING_CHOICE,	   /* an enum numbered as the choices are */
	SETTING_PROTOCOL,  /* uint8_t: IPPROTO_TCP or IPPROTO_UDP */
	SETTING_ADDRESS,   /* struct addr, one that can be a host's */
	SETTING_MAC,	   /* struct mac, one that can be a host's */
	SETTING_KEY,	   /* uint64_t[2]: 32 hexadecimal digits */
};

/* Who has to be restarted before a changed value is in force. */
enum setting_applies { APPLIES_AT_RELOAD, APPLIES_AT_RESTART, APPLIES_AT_DATAPLANE_RESTART, APPLIES_AT_BOTH_RESTARTS };

struct setting {
	const char *path; /* "pools.check.interval": groups and lists alike make a level */
	enum setting_type type;
	const char *standard; /* the default as it would stand in the file (strings without quotes); NULL: none */
	const char *help;
	int64_t min;
	int64_t max;
	const char *const *choices; /* NULL-ended */
	/* Texts, and each of strings: what else has to be right. 0; or -EINVAL and what is wrong, without the place. */
	int (*check)(const char *text, struct error *error);
	uint32_t checks;	    /* in pools.check: the types it belongs to, 1 << enum check_type; 0: all */
	bool secret; /* perhaps: not to be seen in a log */
	bool required;
	bool seconds;
	bool has_given;
	enum setting_applies applies;
	size_t offset; /* in struct config, config_pool, config_backend or config_vip, by the list it is in */
	size_t size;
	size_t given; /* has_given: offset of a bool that says whether the file has the setting */
	size_t count;   /* SETTING_LIST: offset of the count; the rest of its elements */
	size_t element_size;
};

extern const struct setting settings[]; /* a group before what is in it; ends with path NULL */

/* A value as read, from shunt.conf or JSON. */
enum value_kind {
	VALUE_NUMBER,
	VALUE_TEXT,
	VALUE_REAL,
	VALUE_BOOL,
	VALUE_GROUP,
	VALUE_ARRAY,
	VALUE_LIST,
	VALUE_OTHER
};

struct value {
	enum value_kind kind;
	int64_t number;
	const char *text;
	bool truth;
	struct strings items; /* VALUE_ARRAY, VALUE_LIST of strings only; borrowed */
};

/* The setting name in the group prefix ("" for the top), or NULL. */
const struct setting *settings_find(const char *prefix, const char *name);
/* Its last word. */
const char *settings_word(const struct setting *setting);
/* Whether it is directly in the group or list prefix. */
bool settings_is_in(const struct setting *setting, const char *prefix);
/* Which list's elements its struct is: "pools", "pools.backends", "vips", or "" for struct config. */
const char *settings_list_of(const struct setting *setting);

/*
 * Check a value and put it into base (what was there is freed, strings are copied). 0, or -EINVAL or -ENOMEM and
 * what is wrong in *error, without the place: that is the caller's to put before it.
 */
int settings_store(const struct setting *setting, const struct value *value, void *base, struct error *error);
/* Put the defaults of everything whose struct is this list's elements ("" for struct config). 0 or -ENOMEM. */
int settings_defaults(const char *list, void *base);
/* Whether the value is a string of its own on the heap. */
bool settings_is_copied(const struct setting *setting);
/* Free what settings_store() copied into base, lists not included. */
void settings_free(const char *list, void *base);
/*
 * base is another's content, byte by byte: give it copies of its own of what is on the heap, lists not included.
 * 0; or -ENOMEM, and nothing is on the heap.
 */
int settings_own(const char *list, void *base);
/* Whether the setting, which is no group or list, has the same value in both; where there is has_given: or in
 * neither. */
bool settings_equal(const struct setting *setting, const void *a, const void *b);
/* The types of checks that it is for, "http and https", into text, returned; "" if it is for all. */
const char *settings_types(const struct setting *setting, char *text, size_t size);
/*
 * Whether a setting is one of a check of this type: 0, or -EINVAL and "is for http and https checks; this one is
 * tcp". Always 0 outside pools.check.
 */
int settings_belong(const struct setting *setting, enum check_type type, struct error *error);

/* The error for a setting that is not in the table. */
int settings_unknown(const char *prefix, const char *name, struct error *error);
/* What the type allows, for messages and comments: "a whole number, 0 to 65535". Into text, returned. */
const char *settings_describe(const struct setting *setting, char *text, size_t size);
/* The value in base as it would stand in the file, to stream; false, and nothing written, if there is none. */
bool settings_print(const struct setting *setting, const void *base, FILE *stream);
/* Whether there is one. */
bool settings_has_value(const struct setting *setting, const void *base);
/* A string in quotes, escaped as libconfig reads it. */
void settings_print_text(const char *text, FILE *stream);
/* Whether the value in base is the default. */
bool settings_is_default(const struct setting *setting, const void *base);

#endif
