/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the manual page shunt.conf(5) from the table of settings. Run by the build; not installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

static const char head[] =
	".TH SHUNT.CONF 5 \"\" \"shunt " SHUNT_VERSION "\"\n"
	".SH NAME\n"
	"shunt.conf \\- configuration of shunt\\-dataplane and shuntd\n"
	".SH DESCRIPTION\n"
	".I /etc/shunt/shunt.conf\n"
	"is read by\n"
	".BR shunt\\-dataplane (8),\n"
	"of it only the group dpdk, and by\n"
	".BR shuntd (8).\n"
	"Its format is libconfig's: \\(lqname = value;\\(rq, groups in { }, lists of groups in ( ), arrays in [ ],\n"
	"comments after # or //, other files with\n"
	".BR @include .\n"
	"Times are strings of a whole number and a unit: \\(dq500ms\\(dq, \\(dq1s\\(dq, \\(dq15m\\(dq, \\(dq4h\\(dq.\n"
	".PP\n"
	"A setting that is unknown, of another type or out of range is an error that names file, line and setting,\n"
	"and nothing of that file is applied.\n"
	".B shuntctl check\n"
	"says whether a file is right,\n"
	".B shuntctl reload \\-\\-dry\\-run\n"
	"what it would change, and\n"
	".B shuntctl reload\n"
	"changes it.\n"
	".SH SETTINGS\n";

static const char tail[] =
	".SH FILES\n"
	".I /etc/shunt/shunt.conf\n"
	".SH SEE ALSO\n"
	".BR shuntd (8),\n"
	".BR shunt\\-dataplane (8),\n"
	".BR shuntctl (8)\n";

/* Text of the table as roff takes it. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '"')
			fputs("\\(dq", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* The path as it is written in messages and documents: "pools[].backends[].weight". */
static void print_path(const struct setting *setting)
{
	char prefix[64] = "";

	for (const char *c = setting->path; *c; c++) {
		size_t length = (size_t)(c - setting->path);

		if (*c == '.') {
			memcpy(prefix, setting->path, length);
			prefix[length] = '\0';
			for (const struct setting *s = settings; s->path; s++)
				if (!strcmp(s->path, prefix) && s->type == SETTING_LIST)
					fputs("[]", stdout);
		}
		putchar(*c);
	}
}

static void print_group(const struct setting *setting)
{
	fputs(".SS ", stdout);
	print_path(setting);
	fputs(setting->type == SETTING_LIST ? " = ( { ... }, ... )\n" : ": { ... }\n", stdout);
	print_text(setting->help);
	fputs(".\n", stdout);
}

/* Which checks it is for, or which it is not for if those are fewer. */
static void print_types(const struct setting *setting)
{
	const struct setting others = { .checks = ~setting->checks };
	char of[128], not_of[128];

	settings_types(setting, of, sizeof(of));
	settings_types(&others, not_of, sizeof(not_of));
	if (strlen(of) < strlen(not_of))
		printf("Of %s checks: ", of);
	else
		printf("Not of %s checks: ", not_of);
}

static void print_setting(const struct setting *setting)
{
	static const char *const applies[] = {
		[APPLIES_AT_RESTART] = " A change is in force when shuntd is restarted.",
		[APPLIES_AT_DATAPLANE_RESTART] = " A change is in force when shunt\\-dataplane is restarted.",
		[APPLIES_AT_BOTH_RESTARTS] = " A change is in force when both daemons are restarted.",
	};
	const char *quote = setting->type == SETTING_NUMBER || setting->type == SETTING_BOOL ? "" : "\\(dq";
	char what[256];

	fputs(".TP\n.B ", stdout);
	print_path(setting);
	fputs("\n", stdout);
	if (setting->checks)
		print_types(setting);
	print_text(setting->help);
	fputs(".\nIt is ", stdout);
	print_text(settings_describe(setting, what, sizeof(what)));
	if (setting->required)
		fputs("; it has to be given", stdout);
	if (setting->standard) {
		fputs("; by default ", stdout);
		fputs(quote, stdout);
		print_text(setting->standard);
		fputs(quote, stdout);
	}
	printf(".%s\n", setting->applies == APPLIES_AT_RELOAD ? "" : applies[setting->applies]);
}

int main(void)
{
	fputs(head, stdout);
	for (const struct setting *s = settings; s->path; s++) {
		if (s->type == SETTING_GROUP || s->type == SETTING_LIST)
			print_group(s);
		else
			print_setting(s);
	}
	fputs(tail, stdout);
	return fflush(stdout) || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
