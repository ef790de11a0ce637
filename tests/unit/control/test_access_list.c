/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists of the running set: by command, file and state file; ids and counters that stay; what is refused. */
#include "access_list.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "config_access.h"
#include "control.h"
#include "model.h"
#include "text.h"
#include "unit.h"

#define HEAD                                                                                        \
	CONTROL_DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
#define VIP(policy) "vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; " policy " } );\n"
#define EDGE                                                                                                \
	"access = ( { name = \"edge\"; deny = [ \"203.0.113.0/24\", \"10.1.0.0/16\", \"203.0.113.0/24\" ];\n" \
	"  allow = [ \"10.1.2.3\", \"2001:db8::/32\" ]; } );\n"

static struct config_prefix prefix(const char *text, bool allow)
{
	struct config_prefix p = { .allow = allow };
	struct error error;

	CU_ASSERT_EQUAL_FATAL(access_prefix_parse(text, &p, &error), 0);
	return p;
}

static struct access_rule *rule(struct model *model, const char *list, const char *text)
{
	struct config_prefix p = prefix(text, false);

	return access_list_find(model_access_find(model, list), &p);
}

static int add(struct model *model, const char *list, const char *text, bool allow, struct error *error)
{
	struct config_prefix p = prefix(text, allow);

	return model_access_add(model, list, &p, 1, error);
}

static int del(struct model *model, const char *list, const char *text, struct error *error)
{
	struct config_prefix p = prefix(text, false);

	return model_access_del(model, list, &p, 1, error);
}

static void by_command(void)
{
	struct model *model = control_model(HEAD VIP(""));
	struct error error = { "" };
	struct vip_policy policy = { .access = "edge" };
	struct addr vip;
	uint32_t id;

	CU_ASSERT_EQUAL(address_parse("192.0.2.80", &vip), 0);
	CU_ASSERT_EQUAL(model_vip_set(model, vip, IPPROTO_TCP, 80, &policy, &error), -ENOENT);
	CU_ASSERT_EQUAL(add(model, "edge", "10.0.0.0/8", true, &error), -ENOENT);
	CU_ASSERT_EQUAL(model_access_new(model, "a b", &error), -EINVAL);
	CU_ASSERT_EQUAL(model_access_new(model, "none", &error), -EINVAL);
	CU_ASSERT_EQUAL(model_access_new(model, "edge", &error), 0);
	CU_ASSERT_EQUAL(model_access_new(model, "edge", &error), -EEXIST);
	CU_ASSERT_EQUAL(add(model, "edge", "10.0.0.0/8", true, &error), 1);
	CU_ASSERT_EQUAL(add(model, "edge", "10.0.0.0/8", true, &error), 0);
	CU_ASSERT_EQUAL(add(model, "edge", "10.0.0.0/8", false, &error), -EEXIST);
	CU_ASSERT_STRING_EQUAL(error.text, "access list \"edge\" has 10.0.0.0/8 already, to allow it");
	CU_ASSERT_EQUAL(add(model, "edge", "10.1.0.0/16", false, &error), 1);
	CU_ASSERT_EQUAL(del(model, "edge", "10.2.0.0/16", &error), -ENOENT);
	id = rule(model, "edge", "10.1.0.0/16")->id;
	CU_ASSERT_EQUAL(del(model, "edge", "10.1.0.0/16", &error), 0);
	CU_ASSERT_PTR_NULL(rule(model, "edge", "10.1.0.0/16"));
	CU_ASSERT_EQUAL(add(model, "edge", "10.1.0.0/16", false, &error), 1);
	CU_ASSERT_NOT_EQUAL(rule(model, "edge", "10.1.0.0/16")->id, id);
	CU_ASSERT_EQUAL(model_vip_set(model, vip, IPPROTO_TCP, 80, &policy, &error), 0);
	CU_ASSERT_EQUAL(model_access_remove(model, "edge", &error), -EBUSY);
	*policy.access = '\0';
	CU_ASSERT_EQUAL(model_vip_set(model, vip, IPPROTO_TCP, 80, &policy, &error), 0);
	CU_ASSERT_EQUAL(model_access_remove(model, "edge", &error), 0);
	CU_ASSERT_PTR_NULL(model_access_find(model, "edge"));
	model_free(model);
}

static void by_file(void)
{
	struct model *model = control_model(HEAD VIP(""));
	char *changes = control_apply(model, HEAD EDGE VIP("access = \"edge\";"), false);
	uint32_t id;

	CU_ASSERT_STRING_EQUAL(changes,
		"access edge added, 4 prefixes\nvip 192.0.2.80:80/tcp access edge, was none\n");
	free(changes);
	CU_ASSERT_EQUAL(model_access_find(model, "edge")->n_allow, 2);
	id = rule(model, "edge", "203.0.113.0/24")->id;
	rule(model, "edge", "203.0.113.0/24")->base = 7;
	changes = control_apply(model,
		HEAD "access = ( { name = \"edge\"; deny = [ \"203.0.113.0/24\", \"10.1.2.3\" ]; } );\n" VIP(
			"access = \"edge\";"),
		false);
	CU_ASSERT_STRING_EQUAL(changes,
		"access edge deny 10.1.0.0/16 removed\naccess edge allow 10.1.2.3/32 removed\n"
		"access edge allow 2001:db8::/32 removed\naccess edge deny 10.1.2.3/32 added\n");
	free(changes);
	CU_ASSERT_EQUAL(rule(model, "edge", "203.0.113.0/24")->id, id);
	CU_ASSERT_EQUAL(access_rule_packets(rule(model, "edge", "203.0.113.0/24")), 7);
	CU_ASSERT_FALSE(rule(model, "edge", "10.1.2.3")->allow);
	changes = control_apply(model, HEAD VIP(""), true);
	CU_ASSERT_STRING_EQUAL(changes, "vip 192.0.2.80:80/tcp access none, was edge\naccess edge removed\n");
	free(changes);
	CU_ASSERT_PTR_NOT_NULL(model_access_find(model, "edge"));
	free(control_apply(model, HEAD VIP(""), false));
	CU_ASSERT_PTR_NULL(model_access_find(model, "edge"));
	model_free(model);
}

/* Counters of a list don't fall when rules are taken out: Prometheus would count all of them again. */
static void packets_of_rules_that_are_gone(void)
{
	struct model *model = control_model(HEAD EDGE VIP("access = \"edge\";"));
	struct access_list *list = model_access_find(model, "edge");
	struct error error = { "" };
	uint64_t packets[2];

	rule(model, "edge", "203.0.113.0/24")->base = 7;
	rule(model, "edge", "10.1.2.3")->counted[0] = 5;
	CU_ASSERT_EQUAL(del(model, "edge", "203.0.113.0/24", &error), 0);
	CU_ASSERT_EQUAL(del(model, "edge", "10.1.2.3", &error), 0);
	CU_ASSERT_EQUAL(add(model, "edge", "203.0.113.0/24", false, &error), 1);
	CU_ASSERT_EQUAL(access_rule_packets(rule(model, "edge", "203.0.113.0/24")), 0);
	access_list_packets(list, packets);
	CU_ASSERT_EQUAL(packets[0], 7);
	CU_ASSERT_EQUAL(packets[1], 5);
	model_free(model);
}

static void saved_and_read_again(void)
{
	struct model *model = control_model(HEAD EDGE VIP("access = \"edge\";"));
	struct config *config = control_parse(HEAD EDGE VIP("access = \"edge\";"));
	char *text, *changes;

	CU_ASSERT_EQUAL_FATAL(model_save_text(model, config, &text), 0);
	changes = control_apply(model, text, false);
	CU_ASSERT_STRING_EQUAL(changes, "");
	free(changes);
	free(text);
	config_free(config);
	model_free(model);
}

static void over_a_restart(void)
{
	struct model *model = control_model(HEAD EDGE VIP("access = \"edge\";")), *again = model_new();
	struct access_rule *counted = rule(model, "edge", "203.0.113.0/24"), *back;
	struct text text = { 0 };
	struct error error = { "" };
	uint64_t packets[2];
	json_t *state;

	counted->base = (uint64_t)-5;
	counted->counted[1] = 12;
	model_access_find(model, "edge")->gone[0] = 3;
	model_access_find(model, "edge")->digest = 0x8123456789abcdefULL;
	model_access_segments(model)[1].started_ns = 99;
	text_add(&text, "{");
	model_dump(model, &text);
	text_add(&text, "}");
	text_add_end(&text);
	state = json_loads(text.data, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(state);
	CU_ASSERT_EQUAL_FATAL(model_restore(again, state, &error), 0);
	back = rule(again, "edge", "203.0.113.0/24");
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(back->id, counted->id);
	CU_ASSERT_EQUAL(access_rule_packets(back), 7);
	access_list_packets(model_access_find(again, "edge"), packets);
	CU_ASSERT_EQUAL(packets[0], 10);
	CU_ASSERT_EQUAL(packets[1], 0);
	CU_ASSERT_EQUAL(model_access_find(again, "edge")->digest, 0x8123456789abcdefULL);
	CU_ASSERT_EQUAL(model_access_segments(again)[1].started_ns, 99);
	CU_ASSERT_TRUE(rule(again, "edge", "10.1.2.3")->allow);
	CU_ASSERT_EQUAL(model_access_find(again, "edge")->n, 4);
	CU_ASSERT_STRING_EQUAL(model_vips(again)->policy.access, "edge");
	/* Damage is told, and leaves nothing behind. */
	model_free(again);
	again = model_new();
	json_array_append_new(json_object_get(json_array_get(json_object_get(state, "access"), 0), "rules"),
		json_pack("[s,i,i]", "2002::/16", 1, (int)counted->id));
	CU_ASSERT_EQUAL(model_restore(again, state, &error), -EINVAL);
	CU_ASSERT_PTR_NULL(model_access_lists(again));
	json_decref(state);
	free(text.data);
	model_free(again);
	model_free(model);
}

/* Ids are given out once each, whatever comes and goes, and stay low. */
static void ids(void)
{
	static struct access_ids all;
	static struct config_prefix some[5000];
	struct access_list *list = access_list_new("x");
	struct error error = { "" };
	uint64_t state = 3;

	for (int round = 0; round < 40; round++) {
		size_t n = 0;
		uint8_t seen[16384] = { 0 };

		for (size_t i = 0; i < 500; i++)
			some[n++] = (struct config_prefix){ addr_from_ipv4((__be32)(unit_random(&state) % 2000)), 32, false };
		CU_ASSERT_EQUAL(config_prefixes_settle(some, &n, &error), 0);
		CU_ASSERT(access_list_add(list, &all, some, n, &error) >= 0);
		for (size_t i = 0, kept = 0; i < n; i++)
			if (unit_random(&state) & 1)
				some[kept++] = some[i];
			else if (i + 1 == n)
				n = kept;
		CU_ASSERT_EQUAL(access_list_del(list, &all, some, n / 2, &error), 0);
		for (uint32_t i = 0; i < list->n; i++) {
			CU_ASSERT_FATAL(list->rules[i].id < sizeof(seen));
			CU_ASSERT(!seen[list->rules[i].id]++);
		}
		CU_ASSERT_EQUAL(all.n, list->n);
		CU_ASSERT_EQUAL(access_list_compile(list), 0);
	}
	access_list_free(list, &all);
	CU_ASSERT_EQUAL(all.n, 0);
}

static void expect_fault(const char *text, const char *wanted)
{
	struct error error = { "" };
	struct config *config;

	CU_ASSERT_EQUAL(config_parse("shunt.conf", text, strlen(text), &config, &error), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, wanted);
}

static void what_is_wrong_in_a_file(void)
{
	expect_fault(HEAD "access = ( { name = \"a\"; deny = [ \"10.0.0.0/33\" ]; } );\n" VIP(""),
		"shunt.conf:3: access[0].deny: \"10.0.0.0/33\" is not a prefix, as \"203.0.113.0/24\" or "
		"\"2001:db8::/32\", nor an address");
	expect_fault(HEAD "access = ( { name = \"a\"; deny = [ \"10.0.0.1/8\" ]; } );\n" VIP(""),
		"shunt.conf:3: access[0].deny: \"10.0.0.1/8\" has bits behind its length: 10.0.0.0/8 is meant, or "
		"another length?");
	expect_fault(
		HEAD "access = ( { name = \"a\"; deny = [ \"10.0.0.1\" ]; allow = [ \"10.0.0.1/32\" ]; } );\n" VIP(""),
		"shunt.conf:3: access[0]: 10.0.0.1/32 is both allowed and denied");
	expect_fault(HEAD "access = ( { name = \"a\"; },\n { name = \"a\"; } );\n" VIP(""),
		"shunt.conf:4: access[1].name: \"a\" is the name of the access list on line 3 already");
	expect_fault(HEAD "access = ( { name = \"none\"; } );\n" VIP(""),
		"shunt.conf:3: access[0].name: \"none\" is what commands call having no access list");
	expect_fault(HEAD EDGE VIP("access = \"egde\";"),
		"shunt.conf:5: vips[0].access: there is no access list \"egde\": did you mean \"edge\"?");
	expect_fault(HEAD "access = ( { name = \"a\"; deny_file = \"/nowhere/at/all\"; } );\n" VIP(""),
		"shunt.conf:3: access[0].deny_file: /nowhere/at/all: cannot be read: No such file or directory");
}

/* Nothing but what the file of list "a" says has changed from one to the other. */
static void only_files(const struct config *config, const struct config *other)
{
	struct model *model = model_new();
	struct error error = { "" };
	json_t *changes;

	json_decref(model_apply(model, config, false));
	CU_ASSERT_EQUAL(model_access_new(model, "by-hand", &error), 0);
	CU_ASSERT_EQUAL(add(model, "a", "198.51.100.0/24", false, &error), 1);
	CU_ASSERT_EQUAL(add(model, "by-hand", "198.51.100.0/24", false, &error), 1);
	/* The same: what was changed by command stays. */
	changes = model_apply_prefix_files(model, config);
	CU_ASSERT_EQUAL(json_array_size(changes), 0);
	json_decref(changes);
	CU_ASSERT_PTR_NOT_NULL(rule(model, "a", "198.51.100.0/24"));
	changes = model_apply_prefix_files(model, other);
	CU_ASSERT_EQUAL(json_array_size(changes), 2);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_array_get(changes, 0)), "access a deny 198.51.100.0/24 removed");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(changes, 1)), "access a deny 10.0.0.0/8 added");
	json_decref(changes);
	CU_ASSERT_PTR_NOT_NULL(rule(model, "by-hand", "198.51.100.0/24"));
	CU_ASSERT_EQUAL(model_access_find(model, "a")->digest, other->access[0].digest);
	/* A list that a command has removed does not come back. */
	CU_ASSERT_EQUAL(model_access_remove(model, "a", &error), 0);
	changes = model_apply_prefix_files(model, config);
	CU_ASSERT_EQUAL(json_array_size(changes), 0);
	json_decref(changes);
	CU_ASSERT_PTR_NULL(model_access_find(model, "a"));
	/* And one that a command made in its place is not the file's. */
	CU_ASSERT_EQUAL(model_access_new(model, "a", &error), 0);
	CU_ASSERT_EQUAL(add(model, "a", "198.51.100.0/24", false, &error), 1);
	changes = model_apply_prefix_files(model, config);
	CU_ASSERT_EQUAL(json_array_size(changes), 0);
	json_decref(changes);
	CU_ASSERT_EQUAL(model_access_find(model, "a")->n, 1);
	model_free(model);
}

static void files_of_prefixes(void)
{
	char path[] = "/tmp/shunt-test-access-XXXXXX", empty[] = "/tmp/shunt-test-access-XXXXXX", text[512];
	char moved[512];
	int fd = mkstemp(path);
	struct config *config, *other;
	FILE *file = fdopen(fd, "w");
	struct error error = { "" };

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs("# those of yesterday\n\n 203.0.113.0/24\t# a net\r\n2001:db8::1\n203.0.113.0/24", file);
	fflush(file);
	snprintf(text, sizeof(text), HEAD "access = ( { name = \"a\"; deny_file = \"%s\"; } );\n" VIP(""), path);
	CU_ASSERT_EQUAL_FATAL(config_parse("shunt.conf", text, strlen(text), &config, &error), 0);
	CU_ASSERT_EQUAL(config->access[0].n_prefixes, 2);
	fputs("\n10.0.0.0/8\n", file);
	fflush(file);
	CU_ASSERT_EQUAL_FATAL(config_parse("shunt.conf", text, strlen(text), &other, &error), 0);
	CU_ASSERT_EQUAL(other->access[0].n_prefixes, 3);
	CU_ASSERT_EQUAL(other->digest, config->digest);
	CU_ASSERT_NOT_EQUAL(other->access[0].digest, config->access[0].digest);
	CU_ASSERT_NOT_EQUAL(config->access[0].digest, 0);
	only_files(config, other);
	config_free(config);
	config_free(other);
	/* What is moved from one file to the other is another list. */
	close(mkstemp(empty));
	snprintf(moved, sizeof(moved),
		HEAD "access = ( { name = \"a\"; allow_file = \"%s\"; deny_file = \"%s\"; } );\n" VIP(""), path,
		empty);
	CU_ASSERT_EQUAL_FATAL(config_parse("shunt.conf", moved, strlen(moved), &config, &error), 0);
	snprintf(moved, sizeof(moved),
		HEAD "access = ( { name = \"a\"; allow_file = \"%s\"; deny_file = \"%s\"; } );\n" VIP(""), empty,
		path);
	CU_ASSERT_EQUAL_FATAL(config_parse("shunt.conf", moved, strlen(moved), &other, &error), 0);
	CU_ASSERT_NOT_EQUAL(other->access[0].digest, config->access[0].digest);
	config_free(config);
	config_free(other);
	unlink(empty);
	fputs("10.0.0.0/8 10.1.0.0/16\n", file);
	fclose(file);
	CU_ASSERT_EQUAL(config_parse("shunt.conf", text, strlen(text), &config, &error), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, ":7: there is more than a prefix on the line"));
	unlink(path);
}

/* It is not read to its end. */
static void a_file_of_very_many(void)
{
	char path[] = "/tmp/shunt-test-access-XXXXXX", text[512], wanted[128];
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	struct config *config;
	struct error error = { "" };

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (int i = 0; i <= 2 * SNAPSHOT_MAX_RULES; i++)
		fputs("10.0.0.0/8\n", file);
	fputs("not a prefix\n", file);
	fclose(file);
	snprintf(text, sizeof(text), HEAD "access = ( { name = \"a\"; deny_file = \"%s\"; } );\n" VIP(""), path);
	snprintf(wanted, sizeof(wanted), "%s:%d: too many prefixes: at most %d in all lists together", path,
		2 * SNAPSHOT_MAX_RULES + 1, SNAPSHOT_MAX_RULES);
	CU_ASSERT_EQUAL(config_parse("shunt.conf", text, strlen(text), &config, &error), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, wanted);
	unlink(path);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "by command", by_command },
		{ "by file", by_file },
		{ "packets of rules that are gone", packets_of_rules_that_are_gone },
		{ "saved and read again", saved_and_read_again },
		{ "over a restart", over_a_restart },
		{ "ids", ids },
		{ "what is wrong in a file", what_is_wrong_in_a_file },
		{ "files of prefixes", files_of_prefixes },
		{ "a file of very many", a_file_of_very_many },
		{ NULL, NULL },
	};

	return unit_run("access lists", tests);
}
