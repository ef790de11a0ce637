/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The publisher against a dataplane played by the test, on the same event loop: greeting, coalescing,
 * acknowledgement, refusal, silence, reconnection, malformed messages. And with a second forwarder, which
 * answers at once as XDP does.
 */
#include "publish.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "forwarder_dataplane.h"
#include "log.h"
#include "snapshot_check.h"
#include "unit.h"

#define WEB "dpdk: { port = \"net_null0\"; cores = \"1\"; socket = \"%s/dp\"; };\n" \
	"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; mac = \"02:00:00:00:00:11\"; } ); } );\n" \
	"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );\n"

/* The dataplane. */
struct dataplane {
	int listener, peer;
	struct stats_header *stats;
	int stats_fd;
	struct event *accepting, *reading;
	bool silent;             /* takes snapshots and says nothing */
	const char *refuse;      /* with this reason */
	unsigned int snapshots;  /* received */
	uint64_t last, working;  /* versions: received, and said to be worked from in the greeting */
	struct channel_hello hello;
};

static char folder[64];
static struct event_base *base;
static struct config *config;
static struct model *model;
static struct state *state;
static struct publisher *publisher;
static struct dataplane dp;
static unsigned int connects, disconnects, acknowledgements;

static void send_message(const void *message, size_t size, int fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { (void *)message, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		header.msg_control = control.buffer;
		header.msg_controllen = sizeof(control.buffer);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	CU_ASSERT_EQUAL(sendmsg(dp.peer, &header, MSG_NOSIGNAL), (ssize_t)size);
}

static void hang_up(void)
{
	if (dp.reading)
		event_free(dp.reading);
	dp.reading = NULL;
	if (dp.peer >= 0)
		close(dp.peer);
	dp.peer = -1;
}

static void acknowledge(uint64_t version, const char *refusal)
{
	struct channel_ack ack = { .head = { CHANNEL_ACK, sizeof(ack) }, .version = version, .refused = refusal != NULL };

	snprintf(ack.reason, sizeof(ack.reason), "%s", refusal ? refusal : "");
	send_message(&ack, sizeof(ack), -1);
}

/* As the dataplane does: map, check, acknowledge. */
static void take_snapshot(evutil_socket_t fd, short what, void *context)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct channel_snapshot message;
	struct iovec part = { &message, sizeof(message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer) };
	ssize_t length = recvmsg(dp.peer, &header, MSG_CMSG_CLOEXEC);
	struct snapshot_fault fault;
	void *block;
	int block_fd;

	if (length <= 0) {
		hang_up();
		return;
	}
	CU_ASSERT_EQUAL_FATAL(length, sizeof(message));
	CU_ASSERT_EQUAL(message.head.type, CHANNEL_SNAPSHOT);
	CU_ASSERT_PTR_NOT_NULL_FATAL(CMSG_FIRSTHDR(&header));
	memcpy(&block_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(block_fd));
	block = mmap(NULL, message.size, PROT_READ, MAP_PRIVATE, block_fd, 0);
	close(block_fd);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(block, MAP_FAILED);
	CU_ASSERT_EQUAL(snapshot_check(block, message.size, &fault), 0);
	CU_ASSERT_EQUAL(((const struct snapshot_header *)block)->version, message.version);
	munmap(block, message.size);
	CU_ASSERT_TRUE(message.version > dp.last);
	dp.last = message.version;
	dp.snapshots++;
	if (!dp.silent)
		acknowledge(message.version, dp.refuse);
}

static void accept_peer(evutil_socket_t fd, short what, void *context)
{
	hang_up();
	dp.peer = accept(dp.listener, NULL, NULL);
	CU_ASSERT_TRUE_FATAL(dp.peer >= 0);
	dp.hello.snapshot_version = dp.working;
	send_message(&dp.hello, sizeof(dp.hello), dp.stats_fd);
	dp.reading = event_new(base, dp.peer, EV_READ | EV_PERSIST, take_snapshot, NULL);
	event_add(dp.reading, NULL);
}

static void beat(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	dp.stats->heartbeat_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* An empty statistics segment of one worker. */
static void open_stats(void)
{
	size_t worker_off = (sizeof(struct stats_header) + 63) / 64 * 64;
	size_t size = worker_off + sizeof(struct stats_worker);

	dp.stats_fd = memfd_create("stats", MFD_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(ftruncate(dp.stats_fd, (off_t)size), 0);
	dp.stats = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dp.stats_fd, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(dp.stats, MAP_FAILED);
	dp.stats->magic = STATS_MAGIC;
	dp.stats->abi = STATS_ABI;
	dp.stats->size = size;
	dp.stats->worker_off = worker_off;
	dp.stats->n_workers = 1;
	beat();
}

static void dataplane_start(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/dp", folder);
	unlink(address.sun_path);
	dp.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(dp.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(dp.listener, 4), 0);
	dp.accepting = event_new(base, dp.listener, EV_READ | EV_PERSIST, accept_peer, NULL);
	event_add(dp.accepting, NULL);
}

static void dataplane_stop(void)
{
	hang_up();
	if (dp.accepting)
		event_free(dp.accepting);
	dp.accepting = NULL;
	if (dp.listener >= 0)
		close(dp.listener);
	dp.listener = -1;
}

static void count_connect(void *context, struct forwarder *forwarder)
{
	connects++;
	CU_ASSERT_PTR_NOT_NULL(forwarder->stats);
}

static void count_disconnect(void *context, struct forwarder *forwarder)
{
	CU_ASSERT_PTR_NOT_NULL(forwarder->stats);
	disconnects++;
}

static void count_acknowledgement(void *context, uint64_t version)
{
	acknowledgements++;
	CU_ASSERT_EQUAL(version, publish_version(publisher));
}

static struct publish_listener listener = { .connected = count_connect, .disconnected = count_disconnect,
	.acknowledged = count_acknowledgement };

/* What is wrong, the first line of it, or NULL. */
static const char *warning(void)
{
	static char first[1024];
	json_t *lines = json_array();
	bool any;

	publish_warnings(publisher, lines);
	any = json_array_size(lines) > 0;
	snprintf(first, sizeof(first), "%s", any ? json_string_value(json_array_get(lines, 0)) : "");
	json_decref(lines);
	return any ? first : NULL;
}

static const struct channel_hello *greeting(void)
{
	return forwarder_dataplane_hello(publish_forwarder(publisher, FORWARDER_DATAPLANE));
}

static bool has_worker(uint32_t index)
{
	struct forwarder_worker worker;

	return forwarder_worker(publish_main(publisher), index, &worker);
}

static void add_dataplane(void)
{
	struct forwarder_owner owner = publish_owner(publisher);
	struct forwarder *forwarder = forwarder_dataplane_new(base, config, &owner);

	CU_ASSERT_PTR_NOT_NULL_FATAL(forwarder);
	publish_add(publisher, forwarder);
}

/* Everything, without a dataplane. */
static void set_up(void)
{
	struct error error = { "" };
	char text[1024];
	json_t *notes;

	log_level(-1);
	strcpy(folder, "/tmp/shunt-test-publish-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(text, sizeof(text), WEB, folder);
	base = event_base_new();
	config = control_parse(text);
	model = model_new();
	snprintf(text, sizeof(text), "%s/state", folder);
	CU_ASSERT_EQUAL_FATAL(state_open(text, model, &state, &error), 0);
	CU_ASSERT_EQUAL_FATAL(state_start(state, config, &notes, &error), 0);
	json_decref(notes);
	dp = (struct dataplane){ .listener = -1, .peer = -1 };
	dp.hello = (struct channel_hello){ .head = { CHANNEL_HELLO, sizeof(dp.hello) }, .magic = CHANNEL_MAGIC,
		.abi = CHANNEL_ABI, .pid = 1, .n_ports = 1, .n_workers = 1, .version = "test",
		.port = { { .mac = { { 2, 0, 0, 0, 0, 1 } }, .mtu = 1500, .name = "port0" } } };
	open_stats();
	connects = disconnects = acknowledgements = 0;
	publisher = publish_new(base, model, state, config);
	CU_ASSERT_PTR_NOT_NULL_FATAL(publisher);
	publish_listen(publisher, &listener);
	add_dataplane();
}

static void tear_down(void)
{
	char command[128];

	publish_free(publisher);
	dataplane_stop();
	munmap(dp.stats, dp.stats->size);
	close(dp.stats_fd);
	state_close(state);
	model_free(model);
	config_free(config);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* Run the loop until a condition holds, for at most a minute. */
#define RUN_UNTIL(condition)                                                         \
	do {                                                                         \
		struct timespec deadline, now;                                       \
		clock_gettime(CLOCK_MONOTONIC, &deadline);                           \
		deadline.tv_sec += 60;                                                \
		while (!(condition)) {                                               \
			clock_gettime(CLOCK_MONOTONIC, &now);                        \
			if (now.tv_sec > deadline.tv_sec) {                          \
				CU_FAIL_FATAL("waited in vain for " #condition);     \
			}                                                            \
			event_base_loop(base, EVLOOP_ONCE);                          \
		}                                                                    \
	} while (0)

struct outcome {
	bool done;
	enum publish_result result;
	uint64_t version;
	char why[512];
};

static void note_outcome(void *context, enum publish_result result, uint64_t version, const char *why)
{
	struct outcome *outcome = context;

	CU_ASSERT_FALSE(outcome->done);
	outcome->done = true;
	outcome->result = result;
	outcome->version = version;
	snprintf(outcome->why, sizeof(outcome->why), "%s", why);
}

static void set_weight(uint16_t weight)
{
	struct error error;

	CU_ASSERT_EQUAL(model_backend_set(model, "web", unit_addr("10.0.0.11"), weight, &error), 0);
}

static void a_change_is_acknowledged(void)
{
	struct outcome first = { 0 }, second = { 0 }, idle = { 0 };
	const struct snapshot_header *snapshot;
	uint64_t version;

	set_up();
	dp.working = 41; /* of a shuntd before this one */
	CU_ASSERT_FALSE(publish_alive(publisher));
	CU_ASSERT_PTR_NULL(publish_snapshot(publisher));
	CU_ASSERT_EQUAL(strncmp(warning(), "no shunt-dataplane: ", 20), 0);
	CU_ASSERT_PTR_NOT_NULL(publish_wait(publisher, note_outcome, &first, 30000));
	CU_ASSERT_FALSE(first.done);
	/* It comes late, and is found. */
	event_base_loop(base, EVLOOP_ONCE);
	dataplane_start();
	RUN_UNTIL(first.done);
	beat();
	CU_ASSERT_EQUAL(first.result, PUBLISH_DONE);
	CU_ASSERT_EQUAL(first.version, 42);
	CU_ASSERT_STRING_EQUAL(first.why, "");
	CU_ASSERT_EQUAL(connects, 1);
	CU_ASSERT_EQUAL(dp.snapshots, 1);
	CU_ASSERT_FALSE(state_is_unsaved(state));
	snapshot = publish_snapshot(publisher);
	CU_ASSERT_PTR_NOT_NULL_FATAL(snapshot);
	CU_ASSERT_EQUAL(snapshot->version, 42);
	CU_ASSERT_TRUE(publish_alive(publisher));
	CU_ASSERT_PTR_NULL(warning());
	CU_ASSERT_STRING_EQUAL(greeting()->version, "test");
	CU_ASSERT_TRUE(has_worker(0));
	CU_ASSERT_FALSE(has_worker(1));

	set_weight(7);
	publish_wait(publisher, note_outcome, &second, 30000);
	RUN_UNTIL(second.done);
	CU_ASSERT_EQUAL(second.result, PUBLISH_DONE);
	CU_ASSERT_EQUAL(second.version, 43);
	CU_ASSERT_EQUAL(dp.snapshots, 2);
	CU_ASSERT_EQUAL(acknowledgements, 2);

	/* Nothing has changed: no snapshot, and an answer. */
	publish_wait(publisher, note_outcome, &idle, 30000);
	RUN_UNTIL(idle.done);
	CU_ASSERT_EQUAL(idle.result, PUBLISH_DONE);
	version = idle.version;
	CU_ASSERT_EQUAL(version, 43);
	CU_ASSERT_EQUAL(dp.snapshots, 2);
	tear_down();
}

static void a_storm_makes_few_snapshots(void)
{
	struct outcome first = { 0 }, second = { 0 };

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	for (uint16_t weight = 1; weight <= 50; weight++)
		set_weight(weight);
	dp.silent = true;
	publish_wait(publisher, note_outcome, &first, 30000);
	RUN_UNTIL(dp.snapshots == 2);
	/* While that one is on its way: */
	for (uint16_t weight = 51; weight <= 90; weight++) {
		set_weight(weight);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	publish_wait(publisher, note_outcome, &second, 30000);
	event_base_loop(base, EVLOOP_NONBLOCK);
	CU_ASSERT_EQUAL(dp.snapshots, 2);
	CU_ASSERT_FALSE(first.done);
	dp.silent = false;
	acknowledge(dp.last, NULL);
	RUN_UNTIL(first.done);
	CU_ASSERT_FALSE(second.done);
	RUN_UNTIL(second.done);
	CU_ASSERT_EQUAL(dp.snapshots, 3);
	CU_ASSERT_TRUE(second.version > first.version);
	tear_down();
}

static void a_refusal_keeps_the_old(void)
{
	struct outcome outcome = { 0 }, later = { 0 };
	uint64_t version;

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	version = publish_version(publisher);
	dp.refuse = "no memory for the flow table";
	set_weight(3);
	publish_wait(publisher, note_outcome, &outcome, 30000);
	RUN_UNTIL(outcome.done);
	beat();
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_REFUSED);
	CU_ASSERT_EQUAL(outcome.version, version);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.why, "shunt-dataplane refuses snapshot "));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(outcome.why, ": no memory for the flow table; the change is kept and tried again"));
	CU_ASSERT_EQUAL(publish_version(publisher), version);
	CU_ASSERT_EQUAL(((const struct snapshot_header *)publish_snapshot(publisher))->version, version);
	CU_ASSERT_PTR_NOT_NULL(strstr(warning(), "the snapshot before it stays in force"));
	/* Sweeps under it say nothing of a drain that it does not know. */
	model_reap(model, 1);
	CU_ASSERT_EQUAL(control_backend(model, "web", "10.0.0.11")->sweeps, 1);
	RUN_UNTIL(control_backend(model, "web", "10.0.0.11")->sweeps == 0);
	beat();
	CU_ASSERT_TRUE(publish_alive(publisher));
	dp.refuse = NULL;
	set_weight(4);
	publish_wait(publisher, note_outcome, &later, 30000);
	RUN_UNTIL(later.done);
	beat();
	CU_ASSERT_EQUAL(later.result, PUBLISH_DONE);
	CU_ASSERT_PTR_NULL(warning());
	tear_down();
}

static void nobody_there(void)
{
	struct outcome outcome = { 0 }, cancelled = { 0 };
	struct publish_waiter *waiter;

	set_up();
	publish_wait(publisher, note_outcome, &outcome, 50);
	waiter = publish_wait(publisher, note_outcome, &cancelled, 20);
	publish_wait_cancel(waiter);
	RUN_UNTIL(outcome.done);
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_TIMED_OUT);
	CU_ASSERT_EQUAL(outcome.version, 0);
	CU_ASSERT_STRING_EQUAL(outcome.why,
		"there is no shunt-dataplane; the change is kept and will be applied");
	CU_ASSERT_FALSE(cancelled.done);
	/* It is on disk all the same. */
	CU_ASSERT_FALSE(state_is_unsaved(state));
	tear_down();
}

static void a_restarted_dataplane_gets_all_anew(void)
{
	struct outcome outcome = { 0 };
	uint64_t version;

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	version = publish_version(publisher);
	dataplane_stop();
	RUN_UNTIL(disconnects == 1);
	CU_ASSERT_EQUAL(publish_version(publisher), 0);
	CU_ASSERT_PTR_NULL(publish_stats(publisher));
	CU_ASSERT_PTR_NULL(greeting());
	CU_ASSERT_FALSE(has_worker(0));
	publish_wait(publisher, note_outcome, &outcome, 30000);
	dataplane_start();
	RUN_UNTIL(outcome.done);
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_DONE);
	CU_ASSERT_TRUE(publish_version(publisher) > version);
	CU_ASSERT_EQUAL(connects, 2);
	tear_down();
}

static void a_stopped_one_is_noticed(void)
{
	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	beat();
	CU_ASSERT_TRUE(publish_alive(publisher));
	dp.stats->heartbeat_ns -= 4000000000ULL;
	CU_ASSERT_FALSE(publish_alive(publisher));
	CU_ASSERT_STRING_EQUAL(warning(), "shunt-dataplane, pid 1, is there but has stopped");
	beat();
	CU_ASSERT_TRUE(publish_alive(publisher));
	CU_ASSERT_PTR_NULL(warning());
	tear_down();
}

static void a_full_disk_is_said(void)
{
	struct outcome outcome = { 0 }, later = { 0 };
	char path[128];

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	snprintf(path, sizeof(path), "%s/state/.state.json.new", folder);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	set_weight(9);
	publish_wait(publisher, note_outcome, &outcome, 30000);
	RUN_UNTIL(outcome.done);
	beat();
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_UNSAVED);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.why, "/state.json cannot be written: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(warning(), "cannot be written"));
	CU_ASSERT_EQUAL(dp.snapshots, 2);
	CU_ASSERT_EQUAL(rmdir(path), 0);
	publish_wait(publisher, note_outcome, &later, 30000);
	RUN_UNTIL(later.done);
	CU_ASSERT_EQUAL(later.result, PUBLISH_DONE);
	CU_ASSERT_FALSE(state_is_unsaved(state));
	tear_down();
}

/* What a broken peer may send: the connection ends, nothing else. */
static void malformed_messages(void)
{
	static const struct channel_head short_head = { CHANNEL_ACK, sizeof(struct channel_head) };
	static const struct channel_head unknown = { 99, sizeof(struct channel_head) };
	struct channel_ack never = { .head = { CHANNEL_ACK, sizeof(never) }, .version = 12345 };
	struct channel_ack liar = { .head = { CHANNEL_ACK, 1000 } };
	struct channel_flows no_fd = { .head = { CHANNEL_FLOWS, sizeof(no_fd) }, .size = 4096 };
	struct {
		struct channel_hello hello;
		char more[100];
	} long_one = { .hello = { .head = { CHANNEL_HELLO, sizeof(long_one) } } };
	const struct {
		const void *data;
		size_t size;
	} messages[] = {
		{ &short_head, sizeof(short_head) }, { &unknown, sizeof(unknown) }, { "x", 1 }, { &never, sizeof(never) },
		{ &liar, sizeof(liar) }, { &no_fd, sizeof(no_fd) }, { &long_one, sizeof(long_one) },
		{ &dp.hello, sizeof(dp.hello) }, /* a second greeting */
	};

	set_up();
	dataplane_start();
	for (unsigned int i = 0; i < UNIT_COUNT(messages); i++) {
		RUN_UNTIL(acknowledgements == i + 1);
		send_message(messages[i].data, messages[i].size, -1);
		RUN_UNTIL(disconnects == i + 1);
	}
	RUN_UNTIL(acknowledgements == UNIT_COUNT(messages) + 1);
	tear_down();
}

static void malformed_greetings(void)
{
	set_up();
	dataplane_start();
	RUN_UNTIL(connects == 1);

	/* Each time another thing is wrong with it; nothing of it is believed. */
	for (int i = 0; i < 8; i++) {
		struct channel_hello good = dp.hello;
		struct stats_header segment = *dp.stats;
		uint64_t working = dp.working;
		unsigned int before = connects;

		if (i == 0)
			dp.hello.abi++;
		else if (i == 1)
			dp.hello.magic++;
		else if (i == 2)
			dp.hello.n_ports = SNAPSHOT_MAX_PORTS + 1;
		else if (i == 3)
			memset(dp.hello.version, 'x', sizeof(dp.hello.version));
		else if (i == 4)
			dp.stats->n_workers = 2;
		else if (i == 5)
			dp.stats->worker_off = ~0ULL;
		else if (i == 6)
			dp.working = INT64_MAX / 2 + 1ULL;
		else
			dp.stats->abi++;
		hang_up();
		RUN_UNTIL(greeting() == NULL);
		RUN_UNTIL(dp.peer >= 0);
		RUN_UNTIL(dp.peer < 0);
		CU_ASSERT_EQUAL(connects, before);
		if (i == 6)
			CU_ASSERT_PTR_NOT_NULL(strstr(warning(), "that no shuntd can have made"));
		dp.hello = good;
		dp.working = working;
		*dp.stats = segment;
		RUN_UNTIL(connects == before + 1);
	}
	tear_down();
}

static void the_flow_table_is_mapped(void)
{
	struct channel_flows flows = { .head = { CHANNEL_FLOWS, sizeof(flows) } };
	size_t size = FLOW_TABLE_HEADER_SIZE + 16 * sizeof(struct flow_bucket);
	int fd = memfd_create("flows", MFD_CLOEXEC);
	struct flow_table_header *header;

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	CU_ASSERT_PTR_NULL(publish_flows(publisher).buckets);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_buckets, 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)size), 0);
	header = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*header = (struct flow_table_header){ .magic = FLOW_TABLE_MAGIC, .abi = FLOW_TABLE_ABI,
		.header_size = FLOW_TABLE_HEADER_SIZE, .n_buckets = 16 };
	flows.size = size;
	send_message(&flows, sizeof(flows), fd);
	RUN_UNTIL(publish_flows(publisher).buckets);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_buckets, 16);
	CU_ASSERT_EQUAL(publish_flows(publisher).header->n_buckets, 16);
	/* The one before it beside it, until there is none. */
	flows.elder = 1;
	send_message(&flows, sizeof(flows), fd);
	RUN_UNTIL(publish_flows(publisher).elder_buckets);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_elder_buckets, 16);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_buckets, 16);
	flows.size = 0;
	send_message(&flows, sizeof(flows), -1);
	RUN_UNTIL(!publish_flows(publisher).elder_buckets);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_elder_buckets, 0);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_buckets, 16);
	flows.elder = 0;
	flows.size = size;
	/* One that says it is larger than it is. */
	header->n_buckets = 17;
	send_message(&flows, sizeof(flows), fd);
	RUN_UNTIL(!publish_flows(publisher).buckets);
	CU_ASSERT_EQUAL(publish_flows(publisher).n_buckets, 0);
	CU_ASSERT_EQUAL(disconnects, 0);
	munmap(header, size);
	close(fd);
	tear_down();
}

static void a_reload_may_change_the_rest(void)
{
	struct outcome outcome = { 0 };
	struct config *other;
	char text[1024];

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	snprintf(text, sizeof(text), WEB "flow_table: { capacity = 5000; timeouts: { syn = \"8s\"; };\n"
		"hash_key = \"000102030405060708090a0b0c0d0e0f\"; };\n", folder);
	other = control_parse(text);
	json_decref(model_apply(model, other, false));
	state_set_config(state, other);
	publish_reconfigure(publisher, other);
	config_free(other);
	publish_wait(publisher, note_outcome, &outcome, 30000);
	RUN_UNTIL(outcome.done);
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_DONE);
	CU_ASSERT_EQUAL(((const struct snapshot_header *)publish_snapshot(publisher))->flow_capacity, 5000);
	CU_ASSERT_EQUAL(((const struct snapshot_header *)publish_snapshot(publisher))->timeout[FLOW_SYN], 2);
	CU_ASSERT_EQUAL(((const struct snapshot_header *)publish_snapshot(publisher))->hash_key[0], 0x0706050403020100);
	tear_down();
}

/* The dataplane listens elsewhere when it is restarted: until then the connection stays. */
static void a_reload_may_change_the_socket(void)
{
	char text[1024], other_path[128];
	struct outcome outcome = { 0 };
	struct config *other;

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	snprintf(text, sizeof(text), WEB, folder);
	snprintf(other_path, sizeof(other_path), "%s/qq", folder);
	memcpy(strstr(text, "/dp\""), "/qq\"", 4);
	other = control_parse(text);
	publish_reconfigure(publisher, other);
	set_weight(5);
	publish_wait(publisher, note_outcome, &outcome, 30000);
	RUN_UNTIL(outcome.done);
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_DONE);
	CU_ASSERT_EQUAL(disconnects, 0);
	/* It is restarted, there; then back again, while nobody is there. */
	dataplane_stop();
	dataplane_start();
	snprintf(text, sizeof(text), "%s/dp", folder);
	CU_ASSERT_EQUAL(rename(text, other_path), 0);
	RUN_UNTIL(connects == 2);
	dataplane_stop();
	RUN_UNTIL(disconnects == 2);
	CU_ASSERT_EQUAL(unlink(other_path), 0);
	dataplane_start();
	publish_reconfigure(publisher, config);
	RUN_UNTIL(connects == 3);
	config_free(other);
	tear_down();
}

/* Of a forwarder that is away or has stopped nobody knows how many flows are left. */
static void drained_is_what_is_known_to_be(void)
{
	struct error error;
	struct backend *b;

	set_up();
	dataplane_start();
	RUN_UNTIL(acknowledgements == 1);
	b = control_backend(model, "web", "10.0.0.11");
	CU_ASSERT_EQUAL(model_drain(model, NULL, b->address, &control_force, &error), 0);
	model_reap(model, 1);
	CU_ASSERT_EQUAL(b->sweeps, 1);
	dataplane_stop();
	RUN_UNTIL(disconnects == 1);
	CU_ASSERT_EQUAL(b->sweeps, 0);
	dataplane_start();
	RUN_UNTIL(connects == 2);
	beat();
	model_reap(model, 2);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	dp.stats->heartbeat_ns -= 4000000000ULL;
	RUN_UNTIL(b->sweeps == 0);
	model_reap(model, 3);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	model_reap(model, 4);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINED);
	tear_down();
}

/* The other forwarder, the test's own: the main one, as by its kind it comes first. */
struct other {
	struct forwarder forwarder;
	struct stats_header stats;
	const char *refuse; /* with this reason */
	unsigned int snapshots;
	uint64_t last;
	bool dead;
};

static struct other other;

static uint32_t other_ports(const struct forwarder *forwarder, struct mac *mac)
{
	mac[0] = (struct mac){ { 2, 0, 0, 0, 0, 7 } };
	return 1;
}

static enum forwarder_answer other_send(struct forwarder *forwarder, const struct snapshot_block *block,
	uint64_t version, struct error *error)
{
	CU_ASSERT_EQUAL(((const struct snapshot_header *)block->data)->version, version);
	other.snapshots++;
	if (other.refuse) {
		error_set(error, EBUSY, "%s", other.refuse);
		return FORWARDER_REFUSES;
	}
	CU_ASSERT_TRUE(version > other.last);
	other.last = version;
	return FORWARDER_HAS_IT;
}

static bool other_worker(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *worker)
{
	return false;
}

static bool other_alive(const struct forwarder *forwarder)
{
	return !other.dead;
}

static const char *other_excuse(const struct forwarder *forwarder)
{
	return "eth0 is not there";
}

static void other_warnings(const struct forwarder *forwarder, json_t *warnings)
{
}

static void other_reconfigure(struct forwarder *forwarder, const struct config *changed)
{
}

static void other_free(struct forwarder *forwarder)
{
}

static void other_up(void)
{
	other.forwarder.up = true;
	other.forwarder.stats = &other.stats;
	other.forwarder.owner.up(other.forwarder.owner.context, &other.forwarder);
}

static void other_down(void)
{
	other.forwarder.up = false;
	other.forwarder.owner.down(other.forwarder.owner.context, &other.forwarder);
	other.forwarder.stats = NULL;
}

static void add_other(void)
{
	static const struct forwarder_operations operations = { .free = other_free, .reconfigure = other_reconfigure,
		.ports = other_ports, .send = other_send, .worker = other_worker, .alive = other_alive,
		.excuse = other_excuse, .warnings = other_warnings };

	other = (struct other){ .forwarder = { .does = &operations, .kind = FORWARDER_XDP,
		.owner = publish_owner(publisher) } };
	publish_add(publisher, &other.forwarder);
	CU_ASSERT_PTR_EQUAL(publish_main(publisher), &other.forwarder);
}

/* Run the loop until a wait that begins now is over. */
static struct outcome wait_for_change(void)
{
	static struct outcome outcome;

	outcome = (struct outcome){ .done = false };
	publish_wait(publisher, note_outcome, &outcome, 30000);
	while (!outcome.done)
		event_base_loop(base, EVLOOP_ONCE);
	return outcome;
}

static void done_is_when_both_have_it(void)
{
	struct outcome outcome, waiting = { 0 };
	unsigned int taken;

	set_up();
	add_other();
	/* The main one alone is enough as long as the other is away. */
	other_up();
	outcome = wait_for_change();
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_DONE);
	CU_ASSERT_EQUAL(other.last, outcome.version);
	CU_ASSERT_TRUE(publish_alive(publisher));

	/* It comes: both have the same from then on. */
	dataplane_start();
	RUN_UNTIL(dp.snapshots == 1);
	RUN_UNTIL(publish_version(publisher) == dp.last);
	CU_ASSERT_EQUAL(other.last, dp.last);
	CU_ASSERT_EQUAL(((const struct snapshot_header *)publish_snapshot(publisher))->n_ports, 1);

	/* Nothing is done before the second has said so. */
	dp.silent = true;
	set_weight(3);
	publish_wait(publisher, note_outcome, &waiting, 30000);
	taken = dp.snapshots;
	RUN_UNTIL(dp.snapshots == taken + 1);
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	CU_ASSERT_FALSE(waiting.done);
	CU_ASSERT_EQUAL(other.last, dp.last);
	acknowledge(dp.last, NULL);
	RUN_UNTIL(waiting.done);
	CU_ASSERT_EQUAL(waiting.result, PUBLISH_DONE);

	/* Or has gone: then the first is all there is. */
	waiting = (struct outcome){ .done = false };
	set_weight(4);
	publish_wait(publisher, note_outcome, &waiting, 30000);
	taken = dp.snapshots;
	RUN_UNTIL(dp.snapshots == taken + 1);
	dataplane_stop();
	RUN_UNTIL(waiting.done);
	CU_ASSERT_EQUAL(waiting.result, PUBLISH_DONE);
	CU_ASSERT_EQUAL(publish_version(publisher), other.last);
	CU_ASSERT_TRUE(publish_alive(publisher));
	tear_down();
}

/* What the first refuses the second is not given; what the second refuses is no less refused. */
static void either_may_refuse(void)
{
	struct outcome outcome;
	unsigned int taken;
	uint64_t version;

	set_up();
	add_other();
	other_up();
	dataplane_start();
	RUN_UNTIL(dp.snapshots == 1);
	RUN_UNTIL(publish_version(publisher) == dp.last);
	version = publish_version(publisher);
	taken = dp.snapshots;
	other.refuse = "no room for its maps";
	set_weight(3);
	outcome = wait_for_change();
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_REFUSED);
	CU_ASSERT_EQUAL(outcome.version, version);
	CU_ASSERT_STRING_EQUAL(outcome.why, "no room for its maps; the change is kept and tried again");
	CU_ASSERT_EQUAL(dp.snapshots, taken);
	other.refuse = NULL;
	dp.refuse = "no memory";
	set_weight(4);
	outcome = wait_for_change();
	beat();
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_REFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.why, "shunt-dataplane refuses snapshot "));
	CU_ASSERT_PTR_NOT_NULL(strstr(warning(), "no memory"));
	dp.refuse = NULL;
	set_weight(5);
	CU_ASSERT_EQUAL(wait_for_change().result, PUBLISH_DONE);
	beat();
	CU_ASSERT_PTR_NULL(warning());
	tear_down();
}

/* Without the main one nothing is published, and what was is not relied on. */
static void nothing_without_the_main_one(void)
{
	struct outcome outcome = { 0 };

	set_up();
	add_other();
	dataplane_start();
	RUN_UNTIL(connects == 1);
	publish_wait(publisher, note_outcome, &outcome, 100);
	RUN_UNTIL(outcome.done);
	CU_ASSERT_EQUAL(outcome.result, PUBLISH_TIMED_OUT);
	CU_ASSERT_STRING_EQUAL(outcome.why, "eth0 is not there; the change is kept and will be applied");
	CU_ASSERT_EQUAL(dp.snapshots, 0);
	CU_ASSERT_FALSE(publish_alive(publisher));
	CU_ASSERT_PTR_NULL(publish_stats(publisher));
	other_up();
	RUN_UNTIL(publish_version(publisher));
	CU_ASSERT_EQUAL(dp.last, publish_version(publisher));
	CU_ASSERT_PTR_EQUAL(publish_stats(publisher), &other.stats);
	other.dead = true;
	CU_ASSERT_FALSE(publish_alive(publisher));
	other.dead = false;
	other_down();
	CU_ASSERT_EQUAL(publish_version(publisher), 0);
	CU_ASSERT_PTR_NULL(publish_snapshot(publisher));
	other_up();
	RUN_UNTIL(publish_version(publisher));
	tear_down();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a change is acknowledged", a_change_is_acknowledged },
		{ "a storm of changes makes few snapshots", a_storm_makes_few_snapshots },
		{ "a refusal keeps the old", a_refusal_keeps_the_old },
		{ "nobody there", nobody_there },
		{ "a restarted dataplane gets all anew", a_restarted_dataplane_gets_all_anew },
		{ "a stopped one is noticed", a_stopped_one_is_noticed },
		{ "a full disk is said", a_full_disk_is_said },
		{ "malformed messages", malformed_messages },
		{ "malformed greetings", malformed_greetings },
		{ "the flow table is mapped", the_flow_table_is_mapped },
		{ "a reload may change the rest", a_reload_may_change_the_rest },
		{ "a reload may change the socket", a_reload_may_change_the_socket },
		{ "drained is what is known to be", drained_is_what_is_known_to_be },
		{ "done is when both forwarders have it", done_is_when_both_have_it },
		{ "either forwarder may refuse", either_may_refuse },
		{ "nothing without the main forwarder", nothing_without_the_main_one },
		{ NULL, NULL },
	};

	return unit_run("publish", tests);
}
