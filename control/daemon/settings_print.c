/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of settings: from the struct to the words of the file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "duration.h"
#include "settings.h"

static uint64_t load_unsigned(const struct setting *setting, const void *base)
{
	const void *source = (const char *)base + setting->offset;

	switch (setting->size) {
	case 1:
		return *(const uint8_t *)source;
	case 2:
		return *(const uint16_t *)source;
	case 4:
		return *(const uint32_t *)source;
	default:
		return *(const uint64_t *)source;
	}
}

void settings_print_text(const char *text, FILE *stream)
{
	fputc('"', stream);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(stream, "\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			fprintf(stream, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, stream);
	}
	fputc('"', stream);
}

bool settings_has_value(const struct setting *setting, const void *base)
{
	const void *source = (const char *)base + setting->offset;

	if (setting->has_given && !*(const bool *)((const char *)base + setting->given))
		return false;
	if (settings_is_copied(setting))
		return *(char *const *)source;
	if (setting->type == SETTING_STRINGS)
		return ((const struct strings *)source)->n;
	if (setting->type == SETTING_NAME)
		return *(const char *)source;
	return setting->type != SETTING_GROUP && setting->type != SETTING_LIST;
}

bool settings_print(const struct setting *setting, const void *base, FILE *stream)
{
	const void *source = (const char *)base + setting->offset;
	const struct strings *strings = source;
	char text[ADDRESS_VIP_TEXT];
	uint64_t key[2];

	if (!settings_has_value(setting, base))
		return false;
	if (settings_is_copied(setting)) {
		settings_print_text(*(char *const *)source, stream);
		return true;
	}
	switch (setting->type) {
	case SETTING_STRINGS:
		for (size_t i = 0; i < strings->n; i++) {
			fputs(i ? ", " : "[ ", stream);
			settings_print_text(strings->item[i], stream);
		}
		fputs(" ]", stream);
		return true;
	case SETTING_NAME:
		settings_print_text(source, stream);
		return true;
	case SETTING_BOOL:
		fputs(*(const bool *)source ? "true" : "false", stream);
		return true;
	case SETTING_NUMBER:
		fprintf(stream, "%" PRIu64, load_unsigned(setting, base));
		return true;
	case SETTING_DURATION:
		fprintf(stream, "\"%s\"",
			duration_print_ms(load_unsigned(setting, base) * (setting->seconds ? 1000 : 1), text));
		return true;
	case SETTING_CHOICE:
		fprintf(stream, "\"%s\"", setting->choices[load_unsigned(setting, base)]);
		return true;
	case SETTING_PROTOCOL:
		fprintf(stream, "\"%s\"", address_protocol_name((uint8_t)load_unsigned(setting, base)));
		return true;
	case SETTING_ADDRESS:
		fprintf(stream, "\"%s\"", address_print(*(const struct addr *)source, text));
		return true;
	case SETTING_MAC:
		fprintf(stream, "\"%s\"", address_print_mac(source, text));
		return true;
	case SETTING_KEY:
		memcpy(key, source, sizeof(key));
		fprintf(stream, "\"%016" PRIx64 "%016" PRIx64 "\"", __builtin_bswap64(key[0]),
			__builtin_bswap64(key[1]));
		return true;
	default:
		return false;
	}
}

bool settings_is_default(const struct setting *setting, const void *base)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	bool same, quoted, printed;
	char standard[DURATION_TEXT];
	const char *expected = setting->standard;

	if (!stream)
		return false;
	printed = settings_print(setting, base, stream);
	fclose(stream);
	if (!printed || !expected) {
		free(text);
		return !printed && !expected;
	}
	if (setting->type == SETTING_DURATION)
		expected = duration_print_ms((uint64_t)duration_parse_ms(expected), standard);
	quoted = text[0] == '"';
	same = quoted ? strlen(expected) + 2 == size && !strncmp(text + 1, expected, size - 2)
		      : !strcmp(text, expected);
	free(text);
	return same;
}
