/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots as they are built: valid, sealed, with the shares that weights ask for and little movement. */
#include "snapshot_build.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel.h"
#include "control.h"
#include "maglev.h"
#include "snapshot_check.h"
#include "unit.h"

static struct snapshot_inputs inputs = {
	.version = 1,
	.hash_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
	.flow_capacity = 1000000,
	.timeout_s = { 0, 60, 900, 120, 10, 300, 300 },
	.n_ports = 2,
	.port_mac = { { { 2, 0, 0, 0, 1, 0 } }, { { 2, 0, 0, 0, 1, 1 } } },
};

static void build(struct snapshot_builder *builder, struct model *m, struct snapshot_block *block)
{
	struct snapshot_fault fault = { 0 };
	struct error error = { "" };

	if (snapshot_build(builder, m, &inputs, block, &error)) {
		unit_note("%s", error.text);
		CU_FAIL_FATAL("no snapshot");
	}
	if (snapshot_check(block->data, block->size, &fault)) {
		unit_note("%s (%llu)", fault.what, (unsigned long long)fault.index);
		CU_FAIL_FATAL("the snapshot is wrong");
	}
}

/* A configuration of one pool of n backends 10.1.x.y, and one VIP. */
static char *one_pool(unsigned int n, const char *scheduler)
{
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	fprintf(file, CONTROL_DPDK "pools = ( { name = \"web\"; scheduler = \"%s\"; backends = (", scheduler);
	for (unsigned int i = 0; i < n; i++)
		fprintf(file, "%s{ address = \"10.1.%u.%u\"; }", i ? "," : "", i / 250, i % 250 + 1);
	fputs("); } );\nvips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );\n", file);
	fclose(file);
	return text;
}

static struct model *model_of(unsigned int n, const char *scheduler)
{
	char *text = one_pool(n, scheduler);
	struct model *m = control_model(text);

	free(text);
	control_bring_up(m);
	return m;
}

static const struct snapshot_vip *find(const struct snapshot_block *block, const char *address, uint16_t port,
	uint8_t protocol)
{
	struct tables t = { 0 };

	tables_open_snapshot(&t, block->data);
	return vip_find(&t, unit_addr(address), core_be16(port), protocol);
}

/* The slots of the only pool; *n: how many. */
static const __u16 *slots(const struct snapshot_block *block, uint32_t *n)
{
	const struct snapshot_header *h = block->data;

	*n = (uint32_t)h->n_slots;
	return (const void *)((const char *)block->data + h->slots_off);
}

static const struct snapshot_backend *backend(const struct snapshot_block *block, uint32_t id)
{
	const struct snapshot_header *h = block->data;

	return (const struct snapshot_backend *)((const char *)block->data + h->backends_off) + id;
}

static double share(const struct snapshot_block *block, uint32_t id)
{
	uint32_t n, hits = 0;
	const __u16 *slot = slots(block, &n);

	for (uint32_t i = 0; i < n; i++)
		hits += slot[i] == id;
	return n ? (double)hits / n : 0;
}

/* Access lists of VIPs, each at its place; a block whose VIP has another list's sieve is refused. */
static void access_lists(void)
{
	struct model *m = control_model(CONTROL_DPDK
		"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
		"access = ( { name = \"edge\"; deny = [ \"203.0.113.0/24\" ]; }, { name = \"unused\"; },\n"
		"           { name = \"members\"; allow = [ \"198.51.100.0/24\", \"2001:db8::/32\" ]; } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; access = \"members\"; },\n"
		"         { address = \"192.0.2.80\"; port = 81; pool = \"web\"; access = \"edge\"; },\n"
		"         { address = \"192.0.2.80\"; port = 82; pool = \"web\"; } );\n");
	static const struct {
		const char *source;
		bool out[3];
	} wanted[] = {
		{ "203.0.113.9", { true, true, false } },
		{ "198.51.100.2", { false, false, false } },
		{ "11.0.0.1", { true, false, false } },
		{ "2001:db8::1", { false, false, false } },
		{ "2001:db9::1", { true, false, false } },
	};
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_policy *policy[2];
	struct snapshot_block block;
	struct snapshot_header *h;
	struct snapshot_fault fault;
	struct tables t = { 0 };

	build(builder, m, &block);
	h = aligned_alloc(64, (block.size + 63) & ~(size_t)63);
	memcpy(h, block.data, block.size);
	tables_open_snapshot(&t, h);
	for (uint16_t port = 80; port < 83; port++) {
		const struct snapshot_vip *vip = find(&block, "192.0.2.80", port, IPPROTO_TCP);
		const struct snapshot_access *list = vip->flags & VIP_ACCESS ? access_list(&t, vip->vip) : NULL;

		CU_ASSERT_EQUAL(list != NULL, port < 82);
		if (list)
			policy[port - 80] = (struct snapshot_policy *)tables_policy(&t, vip->vip);
		for (size_t i = 0; i < UNIT_COUNT(wanted); i++) {
			__u32 result = list ? access_look_up(&t, list, unit_addr(wanted[i].source)) : 0;

			CU_ASSERT_EQUAL((result & ACCESS_OUT) != 0, wanted[i].out[port - 80]);
		}
	}
	CU_ASSERT_EQUAL(snapshot_check(h, block.size, &fault), 0);
	policy[0]->sieve = policy[1]->sieve;
	h->checksum = snapshot_checksum(h, h->size);
	CU_ASSERT_EQUAL(snapshot_check(h, block.size, &fault), -1);
	CU_ASSERT_STRING_EQUAL(fault.what, "a VIP's sieve is not its access list's");
	free(h);
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

/* What VIPs let in, by their ids. */
static void policies(void)
{
	struct model *m = control_model(CONTROL_DPDK
		"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; },\n"
		"         { address = \"192.0.2.80\"; port = 81; pool = \"web\"; source_rate = 100; half_open = 0; },\n"
		"         { address = \"192.0.2.80\"; port = 82; pool = \"web\"; source_rate = 1; source_burst = 3; },\n"
		"         { address = \"192.0.2.80\"; port = 83; pool = \"web\"; source_rate = 1; source_burst = 1000000; } );\n");
	/* A second is 61,035 units. */
	static const struct snapshot_policy expected[] = {
		{ .half_open = 250000 },
		{ .half_open = 0, .source_interval = 610, .source_tolerance = 99 * 610 },
		{ .half_open = 250000, .source_interval = 61035, .source_tolerance = 2 * 61035 },
		{ .half_open = 250000, .source_interval = 61035, .source_tolerance = (1u << 26) - 61035 },
	};
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block block;
	struct tables t = { 0 };
	uint16_t port = 80;

	build(builder, m, &block);
	tables_open_snapshot(&t, block.data);
	for (const struct vip *v = model_vips(m); v; v = v->next, port++) {
		const struct snapshot_vip *vip = find(&block, "192.0.2.80", port, IPPROTO_TCP);

		CU_ASSERT_EQUAL(memcmp(tables_policy(&t, v->id), &expected[port - 80], sizeof(expected[0])), 0);
		CU_ASSERT_EQUAL(vip->flags, VIP_USED | VIP_ACTIVE | (port > 80 ? VIP_RATE : 0));
	}
	CU_ASSERT_PTR_NULL(tables_policy(&t, t.header->n_policies));
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

static void what_is_in_it(void)
{
	struct model *m = control_model(CONTROL_DPDK
		"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; weight = 0; },\n"
		"   { address = \"10.0.0.13\"; }, { address = \"10.0.0.14\"; }, { address = \"10.0.0.15\"; },\n"
		"   { address = \"10.0.0.16\"; } ); }, { name = \"idle\"; backends = ( { address = \"10.0.0.21\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; },\n"
		"         { address = \"192.0.2.80\"; protocol = \"udp\"; port = 0; pool = \"web\"; } );\n");
	struct snapshot_builder *builder = snapshot_builder_new();
	const struct snapshot_header *h;
	const struct snapshot_vip *vip;
	struct snapshot_block block;
	static const struct {
		const char *address;
		__u8 flags;
	} expected[] = {
		{ "10.0.0.11", BACKEND_USED | BACKEND_VALID | BACKEND_UP }, { "10.0.0.12", BACKEND_USED | BACKEND_VALID | BACKEND_UP },
		{ "10.0.0.13", BACKEND_USED | BACKEND_VALID },              { "10.0.0.14", BACKEND_USED },
		{ "10.0.0.15", BACKEND_USED | BACKEND_VALID | BACKEND_UP }, { "10.0.0.16", BACKEND_USED },
	};
	struct error error;

	control_bring_up(m);
	model_set_healthy(m, control_backend(m, "web", "10.0.0.13"), false);
	CU_ASSERT_EQUAL(model_disable(m, NULL, unit_addr("10.0.0.14"), &error), 0);
	CU_ASSERT_EQUAL(model_drain(m, NULL, unit_addr("10.0.0.15"), &control_force, &error), 0);
	model_set_mac(m, control_backend(m, "web", "10.0.0.16"), NULL);
	build(builder, m, &block);
	h = block.data;
	CU_ASSERT_EQUAL(h->version, 1);
	CU_ASSERT_EQUAL(h->hash_key[1], inputs.hash_key[1]);
	CU_ASSERT_EQUAL(h->n_ports, 2);
	CU_ASSERT_EQUAL(h->timeout[FLOW_SYN], 15);
	CU_ASSERT_EQUAL(h->timeout[FLOW_RESET], 3);
	CU_ASSERT_EQUAL(h->timeout[FLOW_NONE], 0);
	CU_ASSERT_EQUAL(h->n_slots, MAGLEV_SLOTS); /* none for the pool without a VIP */
	vip = find(&block, "192.0.2.80", 80, IPPROTO_TCP);
	CU_ASSERT_PTR_NOT_NULL_FATAL(vip);
	CU_ASSERT_EQUAL(vip->vip, model_vips(m)->id);
	CU_ASSERT_EQUAL(vip->slot_count, MAGLEV_SLOTS);
	CU_ASSERT_EQUAL(vip->flags, VIP_USED | VIP_ACTIVE);
	CU_ASSERT_PTR_NOT_NULL(find(&block, "192.0.2.80", 0, IPPROTO_UDP));
	CU_ASSERT_PTR_NOT_NULL(find(&block, "192.0.2.80", 0, 0));
	CU_ASSERT_PTR_NULL(find(&block, "192.0.2.81", 0, 0));
	CU_ASSERT_PTR_NULL(find(&block, "192.0.2.80", 81, IPPROTO_TCP));
	for (size_t i = 0; i < UNIT_COUNT(expected); i++) {
		const struct backend *b = control_backend(m, "web", expected[i].address);
		const struct snapshot_backend *s = backend(&block, b->id);

		CU_ASSERT_EQUAL(s->flags, expected[i].flags);
		CU_ASSERT_EQUAL(s->pool, b->pool->id);
		CU_ASSERT_EQUAL(memcmp(&s->src, &inputs.port_mac[0], 6), 0);
		if (s->flags & BACKEND_VALID)
			CU_ASSERT_EQUAL(memcmp(&s->dst, &b->mac, 6), 0);
		CU_ASSERT_EQUAL(share(&block, b->id), i == 0 ? 1 : 0);
	}
	snapshot_block_close(&block);
	snapshot_block_close(&block);

	/* A removed one keeps its flows and gets no more. */
	CU_ASSERT_EQUAL(model_backend_del(m, "web", unit_addr("10.0.0.11"), &error), 0);
	build(builder, m, &block);
	CU_ASSERT_EQUAL(find(&block, "192.0.2.80", 80, IPPROTO_TCP)->slot_count, 0);
	CU_ASSERT_EQUAL(backend(&block, model_pool_find(m, "web")->backends->id)->flags, BACKEND_USED | BACKEND_VALID);
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

/* A frame leaves by the port its backend is behind, with that port's MAC. */
static void several_ports(void)
{
	struct model *m = model_of(3, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	const struct backend *near = control_backend(m, "web", "10.1.0.1");
	struct backend *far = control_backend(m, "web", "10.1.0.2");
	struct snapshot_block block;
	struct error error;

	model_set_port(m, far, 1, true);
	build(builder, m, &block);
	CU_ASSERT_EQUAL(backend(&block, near->id)->port, 0);
	CU_ASSERT_EQUAL(memcmp(&backend(&block, near->id)->src, &inputs.port_mac[0], 6), 0);
	CU_ASSERT_EQUAL(backend(&block, far->id)->port, 1);
	CU_ASSERT_EQUAL(memcmp(&backend(&block, far->id)->src, &inputs.port_mac[1], 6), 0);
	CU_ASSERT_EQUAL(memcmp(&backend(&block, far->id)->dst, &far->mac, 6), 0);
	CU_ASSERT_TRUE(share(&block, far->id) > 0.3); /* no less its share */
	snapshot_block_close(&block);

	/* Nothing leaves by that port: it gets no flow, new or old, however healthy it is. */
	model_set_port(m, far, 1, false);
	CU_ASSERT_EQUAL(model_backend_state(far), STATE_DOWN);
	build(builder, m, &block);
	CU_ASSERT_EQUAL(backend(&block, far->id)->flags & (BACKEND_VALID | BACKEND_UP), 0);
	CU_ASSERT_EQUAL(share(&block, far->id), 0);
	snapshot_block_close(&block);
	model_set_port(m, far, 1, true);
	build(builder, m, &block);
	CU_ASSERT_TRUE(share(&block, far->id) > 0.3);
	snapshot_block_close(&block);

	/* One that nobody knows is no place to send anything. */
	model_set_port(m, far, 2, true);
	CU_ASSERT_EQUAL(snapshot_build(builder, m, &inputs, &block, &error), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "a backend's port is none"));
	snapshot_builder_free(builder);
	model_free(m);
}

static void an_empty_model(void)
{
	struct model *m = model_new();
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block block;

	build(builder, m, &block);
	CU_ASSERT_PTR_NULL(find(&block, "192.0.2.80", 80, IPPROTO_TCP));
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

static void nobody_can_change_it(void)
{
	struct model *m = model_of(3, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block block;

	build(builder, m, &block);
	CU_ASSERT_EQUAL(fcntl(block.fd, F_GET_SEALS) & CHANNEL_SEALS, CHANNEL_SEALS);
	CU_ASSERT_EQUAL(pwrite(block.fd, "x", 1, 0), -1);
	CU_ASSERT_EQUAL(ftruncate(block.fd, 0), -1);
	CU_ASSERT_PTR_EQUAL(mmap(NULL, block.size, PROT_READ | PROT_WRITE, MAP_SHARED, block.fd, 0), MAP_FAILED);
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

/* What can't be is not sent: the builder checks its own work. */
static void wrong_inputs_are_refused(void)
{
	struct model *m = model_of(3, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_inputs wrong = inputs;
	struct snapshot_block block;
	struct error error;

	wrong.version = 0;
	CU_ASSERT_EQUAL(snapshot_build(builder, m, &wrong, &block, &error), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, "the snapshot is wrong, and is not sent: version 0 stands for none (0)");
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

static void weights_are_honoured(void)
{
	static const char *const schedulers[] = { "maglev", "source-hash", "round-robin", "least-flows" };
	static const uint16_t weights[] = { 1, 2, 10, 100, 100, 300, 65535, 7000 };
	struct error error;

	for (size_t s = 0; s < UNIT_COUNT(schedulers); s++) {
		struct model *m = model_of(8, schedulers[s]);
		struct snapshot_builder *builder = snapshot_builder_new();
		struct snapshot_block block;
		double all = 0;
		size_t i = 0;

		for (struct backend *b = model_pools(m)->backends; b; b = b->next, i++) {
			CU_ASSERT_EQUAL(model_backend_set(m, "web", b->address, weights[i], &error), 0);
			all += weights[i];
		}
		build(builder, m, &block);
		for (struct backend *b = model_pools(m)->backends; b; b = b->next) {
			double ideal = b->weight / all, actual = share(&block, b->id);

			/* Within 2 %, or one slot where a share is less than fifty. */
			CU_ASSERT_TRUE(fabs(actual - ideal) <= fmax(0.02 * ideal, 1.0 / MAGLEV_SLOTS));
		}
		snapshot_block_close(&block);
		snapshot_builder_free(builder);
		model_free(m);
	}
}

/* Slots that changed hands, without those of the one that came or went. */
struct movement {
	double from_old[8]; /* share of all slots each old backend gave to the new one */
	double among_old;
};

static void four_grow_to_five(void)
{
	struct model *m = model_of(4, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block before, after;
	const __u16 *was, *is;
	uint32_t n, gave[8] = { 0 }, moved = 0, newcomer;
	struct error error;

	build(builder, m, &before);
	CU_ASSERT_EQUAL(model_backend_add(m, "web", unit_addr("10.1.0.5"), 100, NULL, &error), 0);
	control_bring_up(m);
	newcomer = control_backend(m, "web", "10.1.0.5")->id;
	build(builder, m, &after);
	was = slots(&before, &n);
	is = slots(&after, &n);
	CU_ASSERT_EQUAL(n, MAGLEV_SLOTS);
	for (uint32_t i = 0; i < n; i++) {
		if (is[i] == newcomer)
			gave[was[i]]++;
		else
			moved += is[i] != was[i];
	}
	for (struct backend *b = model_pools(m)->backends; b; b = b->next)
		if (b->id != newcomer)
			CU_ASSERT_TRUE(fabs(100.0 * gave[b->id] / n - 5) <= 0.5);
	unit_note("each of four gives the fifth %.2f %% of all slots; %.2f %% move among the four",
		100.0 * gave[0] / n, 100.0 * moved / n);
	CU_ASSERT_TRUE(moved < 0.03 * n);
	snapshot_block_close(&before);
	snapshot_block_close(&after);
	snapshot_builder_free(builder);
	model_free(m);
}

static void one_of_a_hundred_leaves(void)
{
	struct model *m = model_of(100, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block before, after;
	const __u16 *was, *is;
	uint32_t n, moved = 0, left;

	build(builder, m, &before);
	left = control_backend(m, "web", "10.1.0.50")->id;
	model_set_healthy(m, control_backend(m, "web", "10.1.0.50"), false);
	build(builder, m, &after);
	was = slots(&before, &n);
	is = slots(&after, &n);
	for (uint32_t i = 0; i < n; i++)
		moved += was[i] != left && is[i] != was[i];
	unit_note("one of a hundred leaves: %.2f %% of the others' slots move", 100.0 * moved / n);
	CU_ASSERT_TRUE(moved < 0.015 * n);
	CU_ASSERT_EQUAL(share(&after, left), 0);
	snapshot_block_close(&before);
	snapshot_block_close(&after);
	snapshot_builder_free(builder);
	model_free(m);
}

/* Two load balancers with the same key, whose ids differ, send every flow to the same address. */
static void a_fleet_agrees(void)
{
	struct model *a = model_of(10, "maglev"), *b = model_of(12, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block x, y;
	const __u16 *of_a, *of_b;
	struct error error;
	uint32_t n;

	for (int i = 1; i <= 2; i++) {
		struct addr first = unit_addr(i == 1 ? "10.1.0.1" : "10.1.0.2");

		CU_ASSERT_EQUAL(model_backend_del(b, "web", first, &error), 0);
		model_reap(b, 1);
		model_reap(b, 100);
		CU_ASSERT_EQUAL(model_backend_add(b, "web", first, 100, NULL, &error), 0);
		CU_ASSERT_EQUAL(model_backend_del(b, "web", unit_addr(i == 1 ? "10.1.0.11" : "10.1.0.12"), &error), 0);
	}
	control_bring_up(b);
	CU_ASSERT_NOT_EQUAL(control_backend(a, "web", "10.1.0.1")->id, control_backend(b, "web", "10.1.0.1")->id);
	build(builder, a, &x);
	build(builder, b, &y);
	of_a = slots(&x, &n);
	of_b = slots(&y, &n);
	for (uint32_t i = 0; i < n; i++)
		if (!addr_equal(model_backend_by_id(a, of_a[i])->address, model_backend_by_id(b, of_b[i])->address))
			CU_FAIL_FATAL("they disagree");
	snapshot_block_close(&x);
	snapshot_block_close(&y);
	snapshot_builder_free(builder);
	model_free(a);
	model_free(b);
}

static void another_key_moves_the_slots(void)
{
	struct model *m = model_of(10, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block before, after;
	const __u16 *was, *is;
	uint32_t n, same = 0;

	build(builder, m, &before);
	inputs.hash_key[0]++;
	build(builder, m, &after);
	inputs.hash_key[0]--;
	was = slots(&before, &n);
	is = slots(&after, &n);
	for (uint32_t i = 0; i < n; i++)
		same += was[i] == is[i];
	CU_ASSERT_TRUE(same < 0.2 * n);
	snapshot_block_close(&before);
	snapshot_block_close(&after);
	snapshot_builder_free(builder);
	model_free(m);
}

static void thousands_of_vips(void)
{
	struct model *m = model_of(2, "maglev");
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block block;
	struct error error;
	struct tables t = { 0 };
	uint32_t n = 20000;

	/* A network's addresses one after the other, and many ports of one address. */
	for (uint32_t i = 0; i < n; i++) {
		struct addr a = addr_from_ipv4(core_be32(i % 2 ? 0xc6120000 + i : 0xc0000250));

		if (model_vip_add(m, a, IPPROTO_TCP, (uint16_t)(i % 2 ? 443 : i + 1), "web", &error))
			CU_FAIL_FATAL("refused");
	}
	build(builder, m, &block);
	tables_open_snapshot(&t, block.data);
	for (struct vip *vip = model_vips(m); vip; vip = vip->next) {
		const struct snapshot_vip *found = vip_find(&t, vip->address, core_be16(vip->port), vip->protocol);

		if (!found || found->vip != vip->id || !vip_find_address(&t, vip->address))
			CU_FAIL_FATAL("a VIP can't be found");
	}
	unit_note("%u VIPs: index of %u entries, at most %u steps", n, t.header->vip_index_size,
		t.header->vip_index_probe);
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "what VIPs let in", policies },
		{ "access lists", access_lists },
		{ "what is in it", what_is_in_it },
		{ "several ports", several_ports },
		{ "an empty model", an_empty_model },
		{ "nobody can change it", nobody_can_change_it },
		{ "wrong inputs are refused", wrong_inputs_are_refused },
		{ "weights are honoured within 2 %", weights_are_honoured },
		{ "four equal backends grow to five", four_grow_to_five },
		{ "one of a hundred leaves", one_of_a_hundred_leaves },
		{ "a fleet agrees", a_fleet_agrees },
		{ "another key moves the slots", another_key_moves_the_slots },
		{ "thousands of VIPs", thousands_of_vips },
		{ NULL, NULL },
	};

	return unit_run("snapshot_build", tests);
}
