/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words and numbers for people: members of an answer as text, large numbers, times. An answer of another
 * shape than expected never does harm: what is missing or of another type reads as "-" or 0.
 */
#ifndef SHUNTCTL_TEXT_H
#define SHUNTCTL_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Room for any of the short texts below. */
#define TEXT_SHORT 48
/* Room for "[IPv6]:port/proto". */
#define TEXT_VIP 80

/* Colours that mean the same everywhere. */
#define COLOUR_GOOD "\033[32m"
#define COLOUR_WARN "\033[33m"
#define COLOUR_BAD "\033[31m"
#define COLOUR_OFF "\033[90m"
#define COLOUR_END "\033[0m"

/* A string member of an object, or `otherwise` if it is absent, null or something else. */
const char *text_member(const json_t *object, const char *name, const char *otherwise);
/* A number member, rounded down; 0 for what is absent, negative or no number. */
unsigned long long text_number(const json_t *object, const char *name);
double text_real(const json_t *object, const char *name);

/* Each writes into out (TEXT_SHORT or TEXT_VIP bytes) and returns it. */
const char *text_count(char *out, double n);         /* up to 9999 as it is, then "12.3k", "1.23M", "45.6G" */
const char *text_rate(char *out, double n);          /* likewise, a second; small ones with a decimal: "0.4" */
const char *text_duration(char *out, unsigned long long s); /* "45s", "12m 5s", "3h 20m", "2d 4h" */
const char *text_endpoint(char *out, const char *address, unsigned long long port); /* IPv6 in brackets */
const char *text_vip(char *out, const json_t *vip); /* "192.0.2.80:80/tcp" from address, port, protocol */

/* Write a string, with control characters other than line feed and tab as "?": it came from elsewhere. */
void text_put(FILE *stream, const char *text);

/* Print a string in a colour, or without one where colours are not wanted or the colour is NULL. */
void text_put_coloured(bool wanted, const char *colour, const char *text);

/* "1 backend", "2 backends". */
void text_plural(FILE *stream, unsigned long long n, const char *singular);

#endif
