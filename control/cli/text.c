/* SPDX-License-Identifier: BSD-3-Clause */
/* Words and numbers for people. */
#include "text.h"

#include <ctype.h>

const char *text_member(const json_t *object, const char *name, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : otherwise;
}

double text_real(const json_t *object, const char *name)
{
	double value = json_number_value(json_object_get(object, name));

	return value > 0 ? value : 0;
}

unsigned long long text_number(const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);
	double value;

	if (json_is_integer(member)) /* exact, where a double is not */
		return json_integer_value(member) > 0 ? (unsigned long long)json_integer_value(member) : 0;
	value = text_real(object, name);
	return value < 18e18 ? (unsigned long long)value : 0;
}

const char *text_count(char *out, double n)
{
	static const char units[] = "kMGTPE";
	int unit = -1;

	if (n < 9999.5) {
		snprintf(out, TEXT_SHORT, "%.0f", n);
		return out;
	}
	while (n >= 999.5 && unit < (int)sizeof(units) - 2) {
		n /= 1000;
		unit++;
	}
	snprintf(out, TEXT_SHORT, "%.*f%c", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, units[unit]);
	return out;
}

const char *text_rate(char *out, double n)
{
	double tenths = n * 10 + 0.5;

	if (n <= 0 || n >= 9.95 || (long)tenths % 10 == 0)
		return text_count(out, n);
	snprintf(out, TEXT_SHORT, "%.1f", n);
	return out;
}

const char *text_duration(char *out, unsigned long long s)
{
	static const struct {
		unsigned long long s;
		char name;
	} unit[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	int i = 0;

	while (unit[i].s > 1 && s < unit[i].s)
		i++;
	if (unit[i].s == 1 || s % unit[i].s < unit[i + 1].s)
		snprintf(out, TEXT_SHORT, "%llu%c", s / unit[i].s, unit[i].name);
	else
		snprintf(out, TEXT_SHORT, "%llu%c %llu%c", s / unit[i].s, unit[i].name,
			s % unit[i].s / unit[i + 1].s, unit[i + 1].name);
	return out;
}

const char *text_endpoint(char *out, const char *address, unsigned long long port)
{
	snprintf(out, TEXT_VIP, strchr(address, ':') ? "[%.45s]:%llu" : "%.45s:%llu", address,
		port);
	return out;
}

const char *text_vip(char *out, const json_t *vip)
{
	size_t length;

	text_endpoint(out, text_member(vip, "address", "?"), text_number(vip, "port"));
	length = strlen(out);
	snprintf(out + length, TEXT_VIP - length, "/%.3s", text_member(vip, "protocol", "?"));
	return out;
}

void text_put(FILE *stream, const char *text)
{
	for (; *text; text++)
		fputc(iscntrl((unsigned char)*text) && *text != '\n' && *text != '\t' ? '?' : *text, stream);
}

void text_put_coloured(bool wanted, const char *colour, const char *text)
{
	bool paint = wanted && colour;

	fputs(paint ? colour : "", stdout);
	text_put(stdout, text);
	fputs(paint ? COLOUR_END : "", stdout);
}

void text_plural(FILE *stream, unsigned long long n, const char *singular)
{
	fprintf(stream, "%llu %s%s", n, singular, n == 1 ? "" : "s");
}
