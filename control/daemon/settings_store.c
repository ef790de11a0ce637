/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of settings: what a type allows, and from what was read into the struct. */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "duration.h"
#include "settings.h"

static void *at(const struct setting *setting, void *base)
{
	return (char *)base + setting->offset;
}

static void join_choices(const struct setting *setting, const char *last_separator, char *text, size_t size)
{
	const char *names[16];
	size_t n = 0, length = 0;

	for (const char *const *c = setting->choices; *c && n < 16; c++)
		names[n++] = *c;
	for (size_t i = 0; i < n && length < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%s\"%s\"",
			i == 0 ? "" : i + 1 == n ? last_separator : ", ", names[i]);
}

const char *settings_describe(const struct setting *setting, char *text, size_t size)
{
	char least[DURATION_TEXT], most[DURATION_TEXT], choices[256];

	switch (setting->type) {
	case SETTING_GROUP:
		return "a group { ... }";
	case SETTING_LIST:
		return "a list of groups ( { ... }, { ... } )";
	case SETTING_STRINGS:
		return "an array of strings [ \"...\", \"...\" ]";
	case SETTING_TEXT:
		snprintf(text, size, "a string of %" PRId64 " to %" PRId64 " characters", setting->min,
			setting->max);
		return text;
	case SETTING_PATH:
		snprintf(text, size, "an absolute path of at most %" PRId64 " characters, as a string",
			setting->max);
		return text;
	case SETTING_INTERFACE:
		return setting->min ? "an interface's name, as a string of at most 15 characters" :
				      "an interface's name, as a string of at most 15 characters, or \"\" for none";
	case SETTING_CORES:
		return "a list of CPU numbers, as a string such as \"2-3\" or \"2,4\"";
	case SETTING_LISTEN:
		return "\"\" or ADDRESS:PORT, as a string such as \"127.0.0.1:9190\" or \"[::1]:9190\"";
	case SETTING_NAME:
		return "a name of 1 to 63 letters, digits and . _ -, as a string";
	case SETTING_NUMBER:
		snprintf(text, size, "a whole number, %" PRId64 " to %" PRId64, setting->min, setting->max);
		return text;
	case SETTING_DURATION:
		snprintf(text, size, "a time with its unit (ms, s, m, h), as a string, \"%s\" to \"%s\"",
			duration_print_ms((uint64_t)setting->min, least),
			duration_print_ms((uint64_t)setting->max, most));
		return text;
	case SETTING_CHOICE:
		join_choices(setting, " or ", choices, sizeof(choices));
		snprintf(text, size, "%s", choices);
		return text;
	case SETTING_PROTOCOL:
		return "\"tcp\" or \"udp\"";
	case SETTING_ADDRESS:
		return "an IPv4 or IPv6 address, as a string";
	case SETTING_MAC:
		return "a MAC address, as a string such as \"02:00:00:00:00:12\"";
	case SETTING_KEY:
		return "32 hexadecimal digits, as a string";
	case SETTING_BOOL:
		return "true or false";
	}
	return "";
}

static int wrong_type(const struct setting *setting, const struct value *value, struct error *error)
{
	static const char *const kinds[] = {
		[VALUE_NUMBER] = "a number",
		[VALUE_TEXT] = "a string",
		[VALUE_REAL] = "a number with a fraction",
		[VALUE_BOOL] = "true or false",
		[VALUE_GROUP] = "a group",
		[VALUE_ARRAY] = "an array",
		[VALUE_LIST] = "a list",
		[VALUE_OTHER] = "something else",
	};
	char what[256];

	return error_set(error, EINVAL, "must be %s, not %s", settings_describe(setting, what, sizeof(what)),
		kinds[value->kind]);
}

/* A string that is of the right type but says nothing the type has. */
static int wrong_text(const struct setting *setting, const char *text, struct error *error)
{
	char what[256];

	return error_set(
		error, EINVAL, "\"%.64s\" is not %s", text, settings_describe(setting, what, sizeof(what)));
}

static int store_copy(const struct setting *setting, const char *text, void *base, struct error *error)
{
	char **target = at(setting, base);
	char *copy = strdup(text);

	if (!copy)
		return error_set(error, ENOMEM, "out of memory");
	free(*target);
	*target = copy;
	return 0;
}

static void free_strings(struct strings *strings)
{
	for (size_t i = 0; i < strings->n; i++)
		free(strings->item[i]);
	free(strings->item);
	*strings = (struct strings){ 0 };
}

/* to: uninitialised. On -ENOMEM it is empty. */
static int copy_strings(struct strings *to, const struct strings *from)
{
	*to = (struct strings){ 0 };
	if (!from->n)
		return 0;
	to->item = calloc(from->n, sizeof(char *));
	for (; to->item && to->n < from->n; to->n++) {
		to->item[to->n] = strdup(from->item[to->n]);
		if (!to->item[to->n])
			break;
	}
	if (to->item && to->n == from->n)
		return 0;
	free_strings(to);
	return -ENOMEM;
}

static int store_strings(const struct setting *setting, const struct value *value, void *base, struct error *error)
{
	struct strings copy;

	if (copy_strings(&copy, &value->items))
		return error_set(error, ENOMEM, "out of memory");
	free_strings(at(setting, base));
	*(struct strings *)at(setting, base) = copy;
	return 0;
}

static void store_unsigned(const struct setting *setting, uint64_t number, void *base)
{
	void *target = at(setting, base);

	switch (setting->size) {
	case 1:
		*(uint8_t *)target = (uint8_t)number;
		break;
	case 2:
		*(uint16_t *)target = (uint16_t)number;
		break;
	case 4:
		*(uint32_t *)target = (uint32_t)number;
		break;
	default:
		*(uint64_t *)target = number;
	}
}

static int store_duration(const struct setting *setting, const char *text, void *base, struct error *error)
{
	char least[DURATION_TEXT], most[DURATION_TEXT];
	int64_t ms = duration_parse_ms(text);

	if (ms < 0)
		return wrong_text(setting, text, error);
	if (ms < setting->min || ms > setting->max)
		return error_set(error, EINVAL, "\"%s\" is out of range: \"%s\" to \"%s\"", text,
			duration_print_ms((uint64_t)setting->min, least),
			duration_print_ms((uint64_t)setting->max, most));
	if (setting->seconds && ms % 1000)
		return error_set(error, EINVAL, "\"%s\" is not a whole number of seconds", text);
	store_unsigned(setting, (uint64_t)(setting->seconds ? ms / 1000 : ms), base);
	return 0;
}

static int store_choice(const struct setting *setting, const char *text, void *base, struct error *error)
{
	char known[256];

	for (unsigned int i = 0; setting->choices[i]; i++) {
		if (strcmp(setting->choices[i], text))
			continue;
		store_unsigned(setting, i, base);
		return 0;
	}
	join_choices(setting, ", ", known, sizeof(known));
	return error_set(error, EINVAL, "\"%.64s\" is none of %s", text, known);
}

static bool is_interface(const char *text)
{
	size_t length = strlen(text);

	/* What the kernel takes: dev_valid_name(). */
	if (length == 0 || length >= IFNAMSIZ || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c == '/' || *c == ':' || *c == 0x7f)
			return false;
	return true;
}

static bool is_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return length > 0 && length <= NAME_MAX_LEN && !text[length];
}

/* "2", "2-3", "1,4-6". */
static bool is_cores(const char *text)
{
	do {
		unsigned long low, high;
		char *end;

		if (*text < '0' || *text > '9')
			return false;
		low = high = strtoul(text, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return false;
			high = strtoul(end + 1, &end, 10);
		}
		if (low > high || high > 4095)
			return false;
		text = end;
	} while (*text++ == ',');
	return text[-1] == '\0';
}

static bool is_listen(const char *text)
{
	struct addr address;
	uint16_t port;

	return !*text || (!address_parse_endpoint(text, &address, &port) && port);
}

static int store_key(const struct setting *setting, const char *text, void *base, struct error *error)
{
	unsigned char byte[16];

	if (strlen(text) != 32 || strspn(text, "0123456789abcdefABCDEF") != 32)
		return error_set(error, EINVAL, "must be 32 hexadecimal digits");
	for (int i = 0; i < 16; i++)
		sscanf(text + 2 * i, "%2hhx", &byte[i]);
	/* The digits are the key's bytes in order, as in SipHash's test vectors. */
	memcpy(at(setting, base), byte, sizeof(byte));
	return 0;
}

static int store_address(const struct setting *setting, const char *text, void *base, struct error *error)
{
	struct addr address;

	if (address_parse(text, &address))
		return wrong_text(setting, text, error);
	if (address_fault(address))
		return error_set(error, EINVAL, "%s %s", text, address_fault(address));
	memcpy(at(setting, base), &address, sizeof(address));
	return 0;
}

static int store_mac(const struct setting *setting, const char *text, void *base, struct error *error)
{
	struct mac mac;

	if (address_parse_mac(text, &mac))
		return wrong_text(setting, text, error);
	if (address_mac_fault(&mac))
		return error_set(error, EINVAL, "%s %s", text, address_mac_fault(&mac));
	memcpy(at(setting, base), &mac, sizeof(mac));
	return 0;
}

/* What is shown and kept as JSON has to be. */
static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string;
}

static int store_text(const struct setting *setting, const char *text, void *base, struct error *error)
{
	size_t length = strlen(text);
	int protocol;

	if (settings_is_copied(setting) && !is_utf8(text))
		return error_set(error, EINVAL, "is not UTF-8");
	switch (setting->type) {
	case SETTING_TEXT:
		if ((int64_t)length < setting->min || (int64_t)length > setting->max)
			return wrong_text(setting, text, error);
		if (setting->check && setting->check(text, error))
			return -EINVAL;
		return store_copy(setting, text, base, error);
	case SETTING_PATH:
		if (*text != '/' || (int64_t)length > setting->max)
			return wrong_text(setting, text, error);
		return store_copy(setting, text, base, error);
	case SETTING_INTERFACE:
		return is_interface(text) || (!*text && !setting->min) ? store_copy(setting, text, base, error) :
									 wrong_text(setting, text, error);
	case SETTING_CORES:
		return is_cores(text) ? store_copy(setting, text, base, error) : wrong_text(setting, text, error);
	case SETTING_LISTEN:
		return is_listen(text) ? store_copy(setting, text, base, error) : wrong_text(setting, text, error);
	case SETTING_NAME:
		if (!is_name(text))
			return wrong_text(setting, text, error);
		memcpy(at(setting, base), text, length + 1);
		return 0;
	case SETTING_DURATION:
		return store_duration(setting, text, base, error);
	case SETTING_CHOICE:
		return store_choice(setting, text, base, error);
	case SETTING_PROTOCOL:
		protocol = address_parse_protocol(text);
		if (protocol < 0)
			return wrong_text(setting, text, error);
		store_unsigned(setting, (uint64_t)protocol, base);
		return 0;
	case SETTING_ADDRESS:
		return store_address(setting, text, base, error);
	case SETTING_MAC:
		return store_mac(setting, text, base, error);
	default:
		return store_key(setting, text, base, error);
	}
}

int settings_store(const struct setting *setting, const struct value *value, void *base, struct error *error)
{
	int err;

	switch (setting->type) {
	case SETTING_GROUP:
	case SETTING_LIST:
		return wrong_type(setting, value, error);
	case SETTING_STRINGS:
		if (value->kind != VALUE_ARRAY && value->kind != VALUE_LIST)
			return wrong_type(setting, value, error);
		if (setting->max && value->items.n > (size_t)setting->max)
			return error_set(
				error, EINVAL, "%zu are too many: at most %" PRId64, value->items.n, setting->max);
		for (size_t i = 0; i < value->items.n; i++) {
			if (!is_utf8(value->items.item[i]))
				return error_set(error, EINVAL, "is not UTF-8");
			if (setting->check && setting->check(value->items.item[i], error))
				return -EINVAL;
		}
		err = store_strings(setting, value, base, error);
		break;
	case SETTING_BOOL:
		if (value->kind != VALUE_BOOL)
			return wrong_type(setting, value, error);
		*(bool *)at(setting, base) = value->truth;
		err = 0;
		break;
	case SETTING_NUMBER:
		if (value->kind != VALUE_NUMBER)
			return wrong_type(setting, value, error);
		if (value->number < setting->min || value->number > setting->max)
			return error_set(error, EINVAL, "%" PRId64 " is out of range: %" PRId64 " to %" PRId64,
				value->number, setting->min, setting->max);
		store_unsigned(setting, (uint64_t)value->number, base);
		err = 0;
		break;
	default:
		if (value->kind != VALUE_TEXT)
			return wrong_type(setting, value, error);
		err = store_text(setting, value->text, base, error);
	}
	if (!err && setting->has_given)
		*((bool *)((char *)base + setting->given)) = true;
	return err;
}

int settings_defaults(const char *list, void *base)
{
	for (const struct setting *s = settings; s->path; s++) {
		struct value value = { .kind = VALUE_TEXT, .text = s->standard };
		struct error error;
		int err;

		if (!s->standard || strcmp(settings_list_of(s), list))
			continue;
		if (s->type == SETTING_NUMBER) {
			value.kind = VALUE_NUMBER;
			value.number = strtoll(s->standard, NULL, 10);
		} else if (s->type == SETTING_BOOL) {
			value.kind = VALUE_BOOL;
			value.truth = !strcmp(s->standard, "true");
		}
		err = settings_store(s, &value, base, &error);
		if (err)
			return err;
	}
	return 0;
}

bool settings_is_copied(const struct setting *setting)
{
	return setting->type == SETTING_TEXT || setting->type == SETTING_PATH ||
		setting->type == SETTING_INTERFACE || setting->type == SETTING_CORES ||
		setting->type == SETTING_LISTEN;
}

void settings_free(const char *list, void *base)
{
	for (const struct setting *s = settings; s->path; s++) {
		if (strcmp(settings_list_of(s), list))
			continue;
		if (settings_is_copied(s)) {
			free(*(char **)at(s, base));
			*(char **)at(s, base) = NULL;
		} else if (s->type == SETTING_STRINGS) {
			free_strings(at(s, base));
		}
	}
}

static int own_strings(struct strings *strings)
{
	struct strings copy;
	int err = copy_strings(&copy, strings);

	*strings = copy;
	return err;
}

static int own_text(char **text)
{
	if (!*text)
		return 0;
	*text = strdup(*text);
	return *text ? 0 : -ENOMEM;
}

int settings_own(const char *list, void *base)
{
	int err = 0;

	/* To the end, also when memory has run out: nothing of the other's may stay. */
	for (const struct setting *s = settings; s->path; s++) {
		int result = 0;

		if (strcmp(settings_list_of(s), list))
			continue;
		if (settings_is_copied(s))
			result = own_text(at(s, base));
		else if (s->type == SETTING_STRINGS)
			result = own_strings(at(s, base));
		if (result)
			err = result;
	}
	if (err)
		settings_free(list, base);
	return err;
}

static bool strings_equal(const struct strings *a, const struct strings *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (strcmp(a->item[i], b->item[i]))
			return false;
	return a->n == b->n;
}

bool settings_equal(const struct setting *setting, const void *a, const void *b)
{
	const void *x = (const char *)a + setting->offset, *y = (const char *)b + setting->offset;
	const char *s, *t;

	if (setting->has_given) {
		bool given = *(const bool *)((const char *)a + setting->given);

		if (given != *(const bool *)((const char *)b + setting->given))
			return false;
		if (!given)
			return true;
	}
	if (setting->type == SETTING_STRINGS)
		return strings_equal(x, y);
	if (setting->type == SETTING_NAME)
		return !strcmp(x, y);
	if (!settings_is_copied(setting))
		return !memcmp(x, y, setting->size);
	s = *(char *const *)x;
	t = *(char *const *)y;
	return s && t ? !strcmp(s, t) : s == t;
}
