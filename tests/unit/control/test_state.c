/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file: what survives a restart, what a changed configuration drops, what damage does. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "unit.h"

#define WEB CONTROL_DPDK \
	"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; } ); } );\n" \
	"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );\n"

#define CHECKED_WEB                                                                                               \
	CONTROL_DPDK                                                                                              \
	"pools = ( { name = \"web\"; scheduler = \"round-robin\"; panic = 50; fallback = \"zero\"; slow_start = " \
	"\"30s\";\n"                                                                                              \
	"  passive = false; check: { type = \"http\"; interval = \"2s\"; headers = [ \"A: b\" ]; source = "       \
	"\"10.0.0.1\"; };\n"                                                                                      \
	"  backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; } ); }, { name = \"zero\"; } "   \
	");\n"                                                                                                    \
	"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );\n"

static char folder[64];

static void make_folder(void)
{
	strcpy(folder, "/tmp/shunt-test-state-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* A daemon as far as state goes: model and state of this configuration, and what was noted, one a line. */
struct daemon {
	struct config *config;
	struct model *model;
	struct state *state;
	char notes[4096];
};

static void start(struct daemon *d, const char *text)
{
	json_t *notes = NULL, *note;
	struct error error = { "" };
	size_t i, length = 0;

	d->config = control_parse(text);
	d->model = model_new();
	if (state_open(folder, d->model, &d->state, &error) || state_start(d->state, d->config, &notes, &error)) {
		unit_note("%s", error.text);
		CU_FAIL_FATAL("no state");
	}
	d->notes[0] = '\0';
	json_array_foreach(notes, i, note) {
		const char *line = json_string_value(note), *at = strstr(line, folder);

		/* Without the folder's name, which is another each time. */
		if (at)
			length += (size_t)sprintf(d->notes + length, "%.*s%s\n", (int)(at - line), line, at + strlen(folder));
		else
			length += (size_t)sprintf(d->notes + length, "%s\n", line);
	}
	json_decref(notes);
}

static void save(struct daemon *d)
{
	struct error error = { "" };

	CU_ASSERT_EQUAL(state_save(d->state, &error), 0);
	CU_ASSERT_STRING_EQUAL(error.text, "");
}

static void stop(struct daemon *d)
{
	state_close(d->state);
	model_free(d->model);
	config_free(d->config);
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static char *read_file(const char *name)
{
	static char text[65536];
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void commands_survive_a_restart(void)
{
	struct mac mac = { { 2, 0, 0, 0, 0, 0x11 } };
	struct backend *b;
	struct daemon d;
	struct error error;
	uint64_t key[2];
	const struct vip_policy policy = { .source_rate = 100, .half_open_given = true, .half_open = 7 };
	uint16_t id, gone, vip;

	make_folder();
	start(&d, WEB);
	CU_ASSERT_STRING_EQUAL(d.notes, "no state in : starting from the configuration\n");
	CU_ASSERT_TRUE(state_is_unsaved(d.state));
	memcpy(key, state_hash_key(d.state), sizeof(key));
	CU_ASSERT_TRUE(key[0] != 0 && key[1] != 0);
	CU_ASSERT_EQUAL(model_backend_add(d.model, "web", unit_addr("10.0.0.13"), 7, NULL, &error), 0);
	CU_ASSERT_EQUAL(model_vip_add(d.model, unit_addr("192.0.2.81"), IPPROTO_UDP, 53, "web", &error), 0);
	CU_ASSERT_EQUAL(model_vip_set(d.model, unit_addr("192.0.2.81"), IPPROTO_UDP, 53, &policy, &error), 0);
	CU_ASSERT_EQUAL(model_disable(d.model, NULL, unit_addr("10.0.0.12"), &error), 0);
	CU_ASSERT_EQUAL(model_drain(d.model, NULL, unit_addr("10.0.0.13"), &control_force, &error), 0);
	b = control_backend(d.model, "web", "10.0.0.11");
	model_set_mac(d.model, b, &mac);
	model_set_healthy(d.model, b, true);
	b->traffic = (struct traffic){ 1, 1ULL << 40, 3, 7, 6, 5 };
	CU_ASSERT_EQUAL(model_backend_add(d.model, "web", unit_addr("10.0.0.14"), 1, NULL, &error), 0);
	gone = control_backend(d.model, "web", "10.0.0.14")->id;
	CU_ASSERT_EQUAL(model_backend_del(d.model, "web", unit_addr("10.0.0.14"), &error), 0);
	id = b->id;
	vip = model_vips(d.model)->next->id;
	state_set_snapshot_version(d.state, 42);
	save(&d);
	CU_ASSERT_FALSE(state_is_unsaved(d.state));
	stop(&d);

	start(&d, WEB);
	CU_ASSERT_STRING_EQUAL(d.notes, "");
	CU_ASSERT_FALSE(state_is_unsaved(d.state));
	CU_ASSERT_EQUAL(memcmp(key, state_hash_key(d.state), sizeof(key)), 0);
	CU_ASSERT_EQUAL(state_snapshot_version(d.state), 42);
	b = control_backend(d.model, "web", "10.0.0.11");
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(b->id, id);
	CU_ASSERT_TRUE(b->mac_known && !memcmp(&b->mac, &mac, sizeof(mac)));
	CU_ASSERT_TRUE(b->healthy);
	CU_ASSERT_EQUAL(b->traffic.bytes, 1ULL << 40);
	CU_ASSERT(b->traffic.syns == 7 && b->traffic.handshakes == 6 && b->traffic.syn_repeats == 5);
	CU_ASSERT_TRUE(control_backend(d.model, "web", "10.0.0.12")->disabled);
	CU_ASSERT_FALSE(control_backend(d.model, "web", "10.0.0.12")->healthy);
	CU_ASSERT_TRUE(control_backend(d.model, "web", "10.0.0.13")->draining);
	CU_ASSERT_EQUAL(control_backend(d.model, "web", "10.0.0.13")->weight, 7);
	CU_ASSERT_PTR_NULL(control_backend(d.model, "web", "10.0.0.14"));
	CU_ASSERT_PTR_NOT_NULL(model_backend_by_id(d.model, gone));
	CU_ASSERT_TRUE(model_backend_by_id(d.model, gone)->removed);
	CU_ASSERT_EQUAL(model_vip_by_id(d.model, vip)->port, 53);
	CU_ASSERT_EQUAL(memcmp(&model_vip_by_id(d.model, vip)->policy, &policy, sizeof(policy)), 0);
	/* Ids go on where they were. */
	CU_ASSERT_EQUAL(model_backend_add(d.model, "web", unit_addr("10.0.0.15"), 1, NULL, &error), 0);
	CU_ASSERT_TRUE(control_backend(d.model, "web", "10.0.0.15")->id > gone);
	stop(&d);
	remove_folder();
}

/* One that is removed may be of another family than the pool is by now. */
static void a_removed_backend_of_the_other_family(void)
{
	static const char empty[] = CONTROL_DPDK "pools = ( { name = \"web\"; } );\n";
	struct daemon d;
	struct error error;

	make_folder();
	start(&d, empty);
	CU_ASSERT_EQUAL(model_backend_add(d.model, "web", unit_addr("2001:db8::11"), 1, NULL, &error), 0);
	CU_ASSERT_EQUAL(model_backend_del(d.model, "web", unit_addr("2001:db8::11"), &error), 0);
	save(&d);
	stop(&d);
	start(&d, empty);
	CU_ASSERT_STRING_EQUAL(d.notes, "");
	CU_ASSERT_EQUAL(model_pool_find(d.model, "web")->family, AF_UNSPEC);
	CU_ASSERT_EQUAL(model_backend_add(d.model, "web", unit_addr("10.0.0.11"), 1, NULL, &error), 0);
	CU_ASSERT_EQUAL(model_vip_add(d.model, unit_addr("192.0.2.80"), IPPROTO_TCP, 80, "web", &error), 0);
	save(&d);
	stop(&d);
	start(&d, empty);
	CU_ASSERT_STRING_EQUAL(d.notes, "");
	CU_ASSERT_EQUAL(model_pool_find(d.model, "web")->family, AF_INET);
	CU_ASSERT_EQUAL(model_count(d.model).vips, 1);
	stop(&d);
	remove_folder();
}

/* Without state the ids begin anywhere: a flow table that outlived it knows others. */
static void ids_begin_anywhere(void)
{
	uint32_t backends = 0, vips = 0;
	struct daemon d;

	for (int i = 0; i < 4; i++) {
		make_folder();
		if (i & 1)
			write_file("state.json", "oops");
		start(&d, WEB);
		CU_ASSERT_TRUE(model_vips(d.model)->id < 1024);
		CU_ASSERT_TRUE(model_pools(d.model)->backends->id < 1026 && model_pools(d.model)->id < 1024);
		backends += model_pools(d.model)->backends->id;
		vips += model_vips(d.model)->id;
		stop(&d);
		remove_folder();
	}
	/* Four zeros in a row once in 2^40. */
	CU_ASSERT_TRUE(backends > 0);
	CU_ASSERT_TRUE(vips > 0);
}

static void a_changed_file_wins_but_for_drains(void)
{
	struct daemon d;
	struct error error;
	uint16_t id;

	make_folder();
	start(&d, WEB);
	CU_ASSERT_EQUAL(model_backend_add(d.model, "web", unit_addr("10.0.0.13"), 7, NULL, &error), 0);
	CU_ASSERT_EQUAL(model_backend_set(d.model, "web", unit_addr("10.0.0.12"), 5, &error), 0);
	CU_ASSERT_EQUAL(model_drain(d.model, NULL, unit_addr("10.0.0.12"), &control_force, &error), 0);
	id = control_backend(d.model, "web", "10.0.0.12")->id;
	save(&d);
	stop(&d);

	start(&d, WEB "# changed\n");
	CU_ASSERT_STRING_EQUAL(d.notes,
		"the configuration has changed since: the running set is what it says; drains and disables stay\n"
		"backend web 10.0.0.13 removed\n"
		"backend web 10.0.0.12 weight 100, was 5\n");
	CU_ASSERT_TRUE(state_is_unsaved(d.state));
	CU_ASSERT_TRUE(control_backend(d.model, "web", "10.0.0.12")->draining);
	CU_ASSERT_EQUAL(control_backend(d.model, "web", "10.0.0.12")->id, id);
	CU_ASSERT_PTR_NULL(control_backend(d.model, "web", "10.0.0.13"));
	save(&d);
	stop(&d);
	start(&d, WEB "# changed\n");
	CU_ASSERT_STRING_EQUAL(d.notes, "");
	stop(&d);
	remove_folder();
}

static void a_given_key_is_used_and_the_made_one_kept(void)
{
	struct daemon d;
	uint64_t made[2];

	make_folder();
	start(&d, CONTROL_DPDK);
	memcpy(made, state_hash_key(d.state), sizeof(made));
	stop(&d);
	start(&d, CONTROL_DPDK "flow_table: { hash_key = \"000102030405060708090a0b0c0d0e0f\"; };\n");
	CU_ASSERT_EQUAL(state_hash_key(d.state)[0], 0x0706050403020100);
	stop(&d);
	start(&d, CONTROL_DPDK);
	CU_ASSERT_EQUAL(memcmp(made, state_hash_key(d.state), sizeof(made)), 0);
	stop(&d);
	write_file("hash_key", "oops\n");
	start(&d, CONTROL_DPDK);
	CU_ASSERT_NOT_EQUAL(memcmp(made, state_hash_key(d.state), sizeof(made)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(d.notes, "/hash_key does not hold 32 hexadecimal digits"));
	stop(&d);
	remove_folder();
}

/* Format 1: checks in numbers, at the pool itself, and none of its newer settings. */
static void the_format_before(void)
{
	struct config *config = control_parse(WEB);
	const struct pool *pool;
	struct daemon d;
	char old[1024];

	make_folder();
	/* Of the same file, so that it is taken as it is. */
	snprintf(old, sizeof(old),
		"{\"format\":1,\"config_digest\":\"%016" PRIx64 "\",\"snapshot_version\":7,"
		"\"next_ids\":{\"pool\":3,\"vip\":1,\"backend\":4},\"pools\":[{\"name\":\"web\",\"id\":2,"
		"\"scheduler\":\"source-hash\",\"check\":{\"given\":true,\"type\":1,\"via\":1,\"port\":8080,"
		"\"interval_ms\":3000,\"timeout_ms\":700,\"rise\":4,\"fall\":5},\"backends\":["
		"{\"address\":\"10.0.0.11\",\"id\":3,\"weight\":100,\"healthy\":true,\"draining\":true}]}],"
		"\"vips\":[{\"vip\":\"192.0.2.80:80/tcp\",\"id\":0,\"pool\":\"web\"}]}",
		config->digest);
	config_free(config);
	write_file("state.json", old);
	start(&d, WEB);
	CU_ASSERT_STRING_EQUAL(d.notes, "");
	pool = model_pool_find(d.model, "web");
	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	CU_ASSERT_EQUAL(pool->id, 2);
	CU_ASSERT_EQUAL(pool->scheduler, SCHEDULER_SOURCE_HASH);
	CU_ASSERT_TRUE(pool->check.given);
	CU_ASSERT_EQUAL(pool->check.type, CHECK_TCP);
	CU_ASSERT_EQUAL(pool->check.via, CHECK_VIA_BACKEND);
	CU_ASSERT_EQUAL(pool->check.port, 8080);
	CU_ASSERT_EQUAL(pool->check.interval_ms, 3000);
	CU_ASSERT_EQUAL(pool->check.timeout_ms, 700);
	CU_ASSERT_EQUAL(pool->check.rise, 4);
	CU_ASSERT_EQUAL(pool->check.fall, 5);
	/* What it did not know is as it is by default. */
	CU_ASSERT_EQUAL(pool->check.fast_interval_ms, 250);
	CU_ASSERT_STRING_EQUAL(pool->check.method, "GET");
	CU_ASSERT_TRUE(pool->passive);
	CU_ASSERT_EQUAL(pool->panic, 0);
	CU_ASSERT_PTR_NULL(pool->fallback);
	CU_ASSERT_TRUE(pool->backends->draining);
	stop(&d);
	remove_folder();
}

/* All that a pool is comes back as it was. */
static void settings_of_pools(void)
{
	struct config *config = control_parse(CHECKED_WEB);
	struct daemon d;
	json_t *changes;

	make_folder();
	start(&d, CHECKED_WEB);
	save(&d);
	stop(&d);
	start(&d, CHECKED_WEB);
	CU_ASSERT_STRING_EQUAL(d.notes, "");
	changes = model_apply(d.model, config, true);
	CU_ASSERT_EQUAL(json_array_size(changes), 0);
	json_decref(changes);
	CU_ASSERT_STRING_EQUAL(model_pool_find(d.model, "web")->fallback->name, "zero");
	CU_ASSERT_STRING_EQUAL(model_pool_find(d.model, "web")->check.headers.item[0], "A: b");
	stop(&d);
	config_free(config);
	remove_folder();
}

/* Every way to damage the file: it is set aside, and the configuration taken. */
static void damage(void)
{
	static const struct {
		const char *from, *to; /* in the good file */
		const char *why;
	} damages[] = {
		{ NULL, "", "line 1: '[' or '{' expected near end of file" },
		{ NULL, "{", "line 1: string or '}' expected near end of file" },
		{ NULL, "{}", "not of format 1 to 2" },
		{ "\"format\":2", "\"format\":3", "not of format 1 to 2" },
		{ "\"snapshot_version\":", "\"snapshot_version\":-",
			"config_digest or snapshot_version is not as it was "
			"written" },
		{ "\"snapshot_version\":", "\"snapshot_version\":900000000000000000",
			"config_digest or snapshot_version is "
			"not as it was written" },
		{ "\"config_digest\":\"", "\"config_digest\":\"x",
			"config_digest or snapshot_version is not as it was "
			"written" },
		{ "\"pools\":[", "\"pools\":1, \"x\":[", "pools, vips or next_ids are not as they were written" },
		{ "\"name\":\"web\"", "\"name\":\"w b\"", "pool w b is not as it was written" },
		{ "\"settings\":{", "\"settings\":1,\"x\":{", "pool web is not as it was written" },
		{ "\"scheduler\":\"round-robin\"", "\"scheduler\":\"lottery\"",
			"pool web is not as it was written" },
		{ "\"panic\":50", "\"panic\":101", "pool web is not as it was written" },
		{ "\"fallback\":\"zero\"", "\"fallback\":\"web\"", "pool web is not as it was written" },
		{ "\"fallback\":\"zero\"", "\"fallback\":\"nil\"", "pool web is not as it was written" },
		{ "\"interval\":\"2s\"", "\"interval\":2000", "pool web is not as it was written" },
		{ "\"type\":\"http\"", "\"type\":\"udp\"", "pool web is not as it was written" },
		{ "\"address\":\"10.0.0.12\"", "\"address\":\"10.0.0.11\"",
			"backend 10.0.0.11 is not as it was written" },
		{ "\"address\":\"10.0.0.12\"", "\"address\":\"2001:db8::1\"",
			"backend 2001:db8::1 is not as it was written" },
		{ "\"id\":1,", "\"id\":0,", "id 0 of a backend is another's, or none" },
		{ "\"id\":1,", "\"id\":65535,", "backend 10.0.0.12 is not as it was written" },
		{ "\"weight\":100", "\"weight\":70000", "backend 10.0.0.11 is not as it was written" },
		{ "\"weight\":100}", "\"weight\":100,\"healthy\":0}",
			"backend 10.0.0.11 is not as it was written" },
		{ "\"weight\":100}", "\"weight\":100,\"traffic\":[1,-1,1]}",
			"backend 10.0.0.11 is not as it was written" },
		{ "\"weight\":100}", "\"weight\":100,\"mac\":\"xx\"}",
			"backend 10.0.0.11 is not as it was written" },
		{ "\"pool\":\"web\"", "\"pool\":\"wab\"", "VIP 192.0.2.80:80/tcp is not as it was written" },
		{ "\"vip\":\"192.0.2.80:80/tcp\"", "\"vip\":\"192.0.2.80:80\"",
			"VIP 192.0.2.80:80 is not as it was written" },
	};
	char good[65536], bad[65536], expected[512];
	struct daemon d;

	make_folder();
	/* With ids from 0 on. */
	write_file("state.json", "{\"format\":1,\"config_digest\":\"0000000000000000\",\"snapshot_version\":0,"
		"\"next_ids\":{\"pool\":0,\"vip\":0,\"backend\":0},\"pools\":[],\"vips\":[]}");
	start(&d, CHECKED_WEB);
	state_set_snapshot_version(d.state, 5);
	save(&d);
	stop(&d);
	strcpy(good, read_file("state.json"));
	for (size_t i = 0; i < UNIT_COUNT(damages); i++) {
		if (damages[i].from) {
			char *at = strstr(good, damages[i].from);

			CU_ASSERT_PTR_NOT_NULL_FATAL(at);
			sprintf(bad, "%.*s%s%s", (int)(at - good), good, damages[i].to, at + strlen(damages[i].from));
		} else {
			strcpy(bad, damages[i].to);
		}
		write_file("state.json", bad);
		start(&d, WEB);
		snprintf(expected, sizeof(expected), "/state.json is damaged (%s): set aside as state.json.damaged, starting "
			"from the configuration; what was changed by command, drains and disables are lost\n", damages[i].why);
		CU_ASSERT_STRING_EQUAL(d.notes, expected);
		if (strcmp(d.notes, expected))
			unit_note("said: %s", d.notes);
		CU_ASSERT_EQUAL(model_count(d.model).backends, 2);
		CU_ASSERT_EQUAL(model_count(d.model).vips, 1);
		CU_ASSERT_PTR_NULL(read_file("state.json"));
		CU_ASSERT_STRING_EQUAL(read_file("state.json.damaged"), bad);
		stop(&d);
	}
	remove_folder();
}

/* Cut at any length it is damaged, never half taken. */
static void every_truncation(void)
{
	char good[65536];
	struct daemon d;
	size_t length;

	make_folder();
	start(&d, WEB);
	save(&d);
	stop(&d);
	strcpy(good, read_file("state.json"));
	length = strlen(good);
	CU_ASSERT_TRUE(length > 300);
	for (size_t i = 0; i < length - 2; i += 7) {
		char cut[65536];

		snprintf(cut, sizeof(cut), "%.*s", (int)i, good);
		write_file("state.json", cut);
		start(&d, WEB);
		CU_ASSERT_PTR_NOT_NULL(strstr(d.notes, "is damaged"));
		CU_ASSERT_EQUAL(model_count(d.model).backends, 2);
		stop(&d);
	}
	remove_folder();
}

static void a_folder_has_one_daemon(void)
{
	struct model *other = model_new();
	struct error error;
	struct state *state;
	struct daemon d;

	make_folder();
	start(&d, WEB);
	CU_ASSERT_EQUAL(state_open(folder, other, &state, &error), -EWOULDBLOCK);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "another shuntd is using it"));
	stop(&d);
	CU_ASSERT_EQUAL(state_open(folder, other, &state, &error), 0);
	state_close(state);
	model_free(other);
	remove_folder();
}

static void files_are_private_and_whole(void)
{
	struct stat status;
	struct daemon d;
	struct error error;
	char path[128];

	make_folder();
	/* The rest of a crash in the middle of a save. */
	write_file(".state.json.new", "{");
	start(&d, WEB);
	save(&d);
	snprintf(path, sizeof(path), "%s/state.json", folder);
	CU_ASSERT_EQUAL(stat(path, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 07, 0);
	snprintf(path, sizeof(path), "%s/hash_key", folder);
	CU_ASSERT_EQUAL(stat(path, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/.state.json.new", folder);
	CU_ASSERT_NOT_EQUAL(stat(path, &status), 0);

	/* What can't be written is said, and the old file is as it was. */
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	CU_ASSERT_NOT_EQUAL(state_save(d.state, &error), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/state.json cannot be written: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(read_file("state.json"), "\"format\":2"));
	stop(&d);
	remove_folder();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "commands survive a restart", commands_survive_a_restart },
		{ "a removed backend of the other family", a_removed_backend_of_the_other_family },
		{ "ids begin anywhere", ids_begin_anywhere },
		{ "a changed file wins, but for drains", a_changed_file_wins_but_for_drains },
		{ "a given key is used, and the made one kept", a_given_key_is_used_and_the_made_one_kept },
		{ "damage", damage },
		{ "the format before", the_format_before },
		{ "settings of pools", settings_of_pools },
		{ "every truncation", every_truncation },
		{ "a folder has one daemon", a_folder_has_one_daemon },
		{ "files are private and whole", files_are_private_and_whole },
		{ NULL, NULL },
	};

	return unit_run("state", tests);
}
