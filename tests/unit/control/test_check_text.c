/* SPDX-License-Identifier: BSD-3-Clause */
/* The small languages in a check's settings, and expressions for bodies. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check_kind.h"
#include "check_regex.h"
#include "check_text.h"
#include "config.h"
#include "expression.h"
#include "unit.h"

static struct error error;

static bool has(const char *ranges, long status)
{
	struct check_expect expect;

	CU_ASSERT_EQUAL_FATAL(check_expect_parse(ranges, &expect, &error), 0);
	return check_expect_has(&expect, status);
}

static void test_statuses(void)
{
	static const char *const wrong[] = { "", " ", "20", "2000", "abc", "99", "600", "200-", "-200", "300-200",
		"200,", ",200", "200 201", "200--299", "200-299-300", "0x200", "200;201" };
	struct check_expect expect;

	CU_ASSERT(has("200", 200) && !has("200", 199) && !has("200", 201));
	CU_ASSERT(has("200-299", 200) && has("200-299", 299) && !has("200-299", 300));
	CU_ASSERT(has(" 200-204 , 301,302 ", 302) && !has(" 200-204 , 301,302 ", 300));
	CU_ASSERT(has("100-599", 100) && has("100-599", 599));
	for (long status = -1; status < 2000; status++)
		CU_ASSERT_EQUAL(has("100-599", status), status >= 100 && status <= 599);
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++) {
		CU_ASSERT(check_expect_parse(wrong[i], &expect, &error) < 0);
		CU_ASSERT(strlen(error.text) > 0);
	}
}

static bool matches(const char *pattern, const char *data, size_t size)
{
	struct check_payload payload;

	CU_ASSERT_EQUAL_FATAL(check_payload_parse(pattern, true, &payload, &error), 0);
	return check_payload_matches(&payload, data, size);
}

static void test_payloads(void)
{
	static const char *const wrong[] = { "hex:0", "hex:0g", "hex:00 1", "hex:? ?", "hex:* 00", "hex:00**",
		"hex:00 ?x", "hex:-1", "hex:0x00" };
	struct check_payload payload;
	char text[CHECK_PAYLOAD_MAX + 2];

	CU_ASSERT(matches("abc", "xxabcxx", 7) && !matches("abc", "ab", 2) && !matches("abc", "", 0));
	CU_ASSERT(matches("hex:0a0B", "\x0a\x0b", 2) && !matches("hex:0a0b", "\x0a\x0b\x0c", 3) &&
		!matches("hex:0a0b", "\x0a", 1));
	CU_ASSERT(matches("hex:0a ?? 0b", "\x0a\xff\x0b", 3) && !matches("hex:0a ?? 0b", "\x0a\xff\x0c", 3));
	CU_ASSERT(matches("hex:0a *", "\x0a", 1) && matches("hex:0a*", "\x0a\0\0\0", 4) &&
		!matches("hex:0a*", "\x0b\0", 2));
	CU_ASSERT(matches("hex:*", "", 0) && matches("hex:*", "any", 3));
	CU_ASSERT(matches("hex:", "", 0) && !matches("hex:", "x", 1));
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		CU_ASSERT(check_payload_parse(wrong[i], true, &payload, &error) < 0);
	CU_ASSERT(check_payload_parse("hex:??", false, &payload, &error) < 0);
	CU_ASSERT(check_payload_parse("hex:00*", false, &payload, &error) < 0);
	memset(text, 'x', sizeof(text));
	text[CHECK_PAYLOAD_MAX + 1] = '\0';
	CU_ASSERT(check_payload_parse(text, true, &payload, &error) < 0);
	text[CHECK_PAYLOAD_MAX] = '\0';
	CU_ASSERT_EQUAL(check_payload_parse(text, true, &payload, &error), 0);
}

static void test_rcodes(void)
{
	uint32_t set;

	CU_ASSERT_EQUAL(check_rcodes_parse("NOERROR", &set, &error), 0);
	CU_ASSERT_EQUAL(set, 1);
	CU_ASSERT_EQUAL(check_rcodes_parse("nxdomain , REFUSED", &set, &error), 0);
	CU_ASSERT_EQUAL(set, 1 << 3 | 1 << 5);
	CU_ASSERT(check_rcodes_parse("", &set, &error) < 0);
	CU_ASSERT(check_rcodes_parse("NOERROR,", &set, &error) < 0);
	CU_ASSERT(check_rcodes_parse("NOERR", &set, &error) < 0);
	CU_ASSERT_STRING_EQUAL(check_rcode_name(5), "REFUSED");
	CU_ASSERT_PTR_NULL(check_rcode_name(15));
}

static void test_names(void)
{
	uint8_t wire[CHECK_NAME_MAX];
	char text[300];

	CU_ASSERT_EQUAL(check_name_parse(".", wire, &error), 1);
	CU_ASSERT_EQUAL(wire[0], 0);
	CU_ASSERT_EQUAL(check_name_parse("a.bc", wire, &error), 6);
	CU_ASSERT(!memcmp(wire, "\1a\2bc", 6));
	CU_ASSERT_EQUAL(check_name_parse("a.bc.", wire, &error), 6);
	CU_ASSERT(check_name_parse("a..bc", wire, &error) < 0);
	CU_ASSERT(check_name_parse(".a", wire, &error) < 0);
	/* 127 labels of one byte are 255 bytes; no more. */
	for (int i = 0; i < 128; i++)
		memcpy(text + i * 2, "a.", 3);
	CU_ASSERT(check_name_parse(text, wire, &error) < 0);
	text[127 * 2] = '\0';
	CU_ASSERT_EQUAL(check_name_parse(text, wire, &error), CHECK_NAME_MAX);
	memset(text, 'a', 64);
	text[64] = '\0';
	CU_ASSERT(check_name_parse(text, wire, &error) < 0);
	text[63] = '\0';
	CU_ASSERT_EQUAL(check_name_parse(text, wire, &error), 65);
}

static void test_bodies(void)
{
	static const char *const right[] = { "ok", "^(a|b)+$", "[\\1]", "[]{9999}]", "x{64}{8}", "x{,3}",
		"a\\{9999999\\}", "[[:alpha:]]*", "a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w+x+y+z+",
		"((a)(b))(c|d)+" };
	static const char *const wrong[] = { "(", "[", "(a)\\1", "x{9999}", "x{64}{32}", "((x{50}){50}){20}", "*", "a\\",
		"[[:nothing:]]" };

	for (size_t i = 0; i < UNIT_COUNT(right); i++)
		if (check_body_fault(right[i], &error) < 0) {
			unit_note("%s", error.text);
			CU_FAIL("refused");
		}
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		if (check_body_fault(wrong[i], &error) == 0) {
			unit_note("%s", wrong[i]);
			CU_FAIL("not refused");
		}
}

static bool finds(struct checker *checker, const char *expression, const char *data, size_t size)
{
	struct check_regex *regex = check_regex_get(checker, expression);
	bool found;

	CU_ASSERT_PTR_NOT_NULL_FATAL(regex);
	found = check_regex_finds(regex, data, size);
	check_regex_put(regex);
	return found;
}

static void test_expressions(void)
{
	static const char *const slow[] = { "x+y", "x.*x.*y", "(x|xx)+y", "[xb]*x[xb]{12}y", "^(x*)*y", "x+$y",
		"y{0,9}z", "(x+x+)+y" };
	struct checker checker = { .priority = 0 };
	static char many[65537];
	struct timespec before, after;
	size_t memory;
	char text[32];

	CU_ASSERT(finds(&checker, "b+", "abc", 3) && !finds(&checker, "b+", "ac", 2));
	CU_ASSERT(finds(&checker, "^ok$", "ok", 2) && finds(&checker, "^ok$", "not\nok\n", 7) &&
		!finds(&checker, "^ok", "not ok", 6));
	CU_ASSERT(finds(&checker, "a|^b$", "xxa", 3) && finds(&checker, "a|^b$", "b", 1) &&
		!finds(&checker, "a|^b$", "cb", 2));
	CU_ASSERT(finds(&checker, "end", "a\0b\n\xff\xfe end", 10));
	CU_ASSERT(finds(&checker, "", "", 0) && finds(&checker, "^$", "", 0) && !finds(&checker, "^$", "x", 1));
	memset(many, 'x', sizeof(many) - 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (size_t i = 0; i < UNIT_COUNT(slow); i++)
		CU_ASSERT_FALSE(finds(&checker, slow[i], many, sizeof(many) - 1));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	CU_ASSERT(after.tv_sec - before.tv_sec < 10);
	/* Each place in this is at another set of places in the expression. */
	for (size_t i = 0; i < sizeof(many) - 1; i++)
		many[i] = "ac"[random() & 1];
	memory = mallinfo2().uordblks;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	CU_ASSERT_FALSE(finds(&checker, "a.{20}b", many, sizeof(many) - 1));
	CU_ASSERT_FALSE(finds(&checker, "a[ac]{500}b", many, sizeof(many) - 1));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	CU_ASSERT(after.tv_sec - before.tv_sec < 10);
	CU_ASSERT(mallinfo2().uordblks < memory + 200000);
	/* Kept, and not for ever; those in use stay. */
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		CU_ASSERT(finds(&checker, text, text, strlen(text)));
	}
	for (int i = 0; i < 20001; i++)
		CU_ASSERT(finds(&checker, "same", "same", 4));
	check_regex_close(&checker);
	CU_ASSERT_PTR_NULL(checker.regexes);
}

/* Against the C library, on random ones and short texts. */
static void test_as_the_c_library(void)
{
	static const char *const tokens[] = { "a", "b", "c", "ab", "(", ")", "|", "*", "+", "?", "{2}", "{1,3}", "{,2}",
		"{2,}", "{0}", ".", "[ab]", "[^a]", "[]a]", "[[:alpha:]]", "^", "$", "\\w", "\\W", "\\.", "()", "\n", "\\s" };
	unsigned int compared = 0, different = 0;

	srandom(1);
	for (int i = 0; i < 5000; i++) {
		struct expression *expression;
		char text[128] = "", data[12];
		regex_t regex;

		for (long n = random() % 9; n > 0; n--)
			strcat(text, tokens[random() % (long)UNIT_COUNT(tokens)]);
		if (check_body_fault(text, &error) < 0 || regcomp(&regex, text, CHECK_REGEX_FLAGS))
			continue;
		expression = expression_new(text);
		for (int k = 0; k < 8 && expression; k++) {
			regmatch_t range = { .rm_eo = (regoff_t)(random() % 10) };
			bool theirs;

			for (regoff_t at = 0; at < range.rm_eo; at++)
				data[at] = "abc_\n -"[random() % 7];
			data[range.rm_eo] = '\0';
			compared++;
			theirs = regexec(&regex, data, 1, &range, REG_STARTEND) == 0;
			if (theirs == expression_finds(expression, data, strlen(data)))
				continue;
			different++;
			unit_note("%s in \"%s\": %s", text, data, theirs ? "not found" : "found");
		}
		CU_ASSERT_PTR_NOT_NULL(expression);
		expression_free(expression);
		regfree(&regex);
	}
	CU_ASSERT(compared > 5000);
	CU_ASSERT_EQUAL(different, 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "statuses", test_statuses },
		{ "datagrams", test_payloads },
		{ "answers of name servers", test_rcodes },
		{ "names", test_names },
		{ "expressions that are refused", test_bodies },
		{ "expressions, in linear time", test_expressions },
		{ "expressions, as the C library", test_as_the_c_library },
		{ NULL, NULL },
	};

	return unit_run("check_text", tests);
}
