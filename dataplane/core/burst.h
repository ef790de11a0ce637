/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of packets through the forwarder, step by step for all of them, so that the memory one step asks for
 * arrives while the others' is handled. For bodies whose tables are ordinary memory. In two halves:
 *
 *   burst_begin()   parse, find the VIPs, hash in vector registers, ask for the flows' buckets and the sources' places
 *                   in access lists
 *   burst_finish()  the verdicts
 *
 * A body does well to begin one burst before it finishes the one before: the buckets arrive meanwhile.
 */
#ifndef SHUNT_BURST_H
#define SHUNT_BURST_H

#include "forward_other.h"
#include "fragments.h"
#include "plain.h"
#include "tables.h"

#define BURST_MAX 32

/* A burst between its two halves. Index i is of the i-th packet that is a VIP's flow's. */
struct burst_flows {
	__u32 n;
	__u32 errors;	       /* frames that are ICMP errors for VIPs, a bit each */
	__u32 fragments;       /* frames that are fragments of VIPs' datagrams, a bit each */
	__u8 frame[BURST_MAX]; /* index among the burst's frames */
	__u8 signal[BURST_MAX];
	__u32 bucket[BURST_MAX]; /* the first of flow_place() */
	const struct snapshot_vip *vip[BURST_MAX];
	__u64 hash[BURST_MAX];
	__u8 found[BURST_MAX];	 /* words of that bucket that are as wanted, a bit each */
	__u64 wanted[BURST_MAX]; /* the flow's word, but for its backend, if the packet changes nothing about it */
	/* Those of them whose source an access list is asked for: index i, where its sieve has the source, and how
	 * far the look-up has come. */
	__u32 n_asked;
	__u8 asked[BURST_MAX];
	const struct snapshot_access *list[BURST_MAX];
	__u64 sieve[BURST_MAX];
	struct addr src[BURST_MAX];
	struct access_walk walk[BURST_MAX];
	/* A VIP, and what its plain packets are like: the last packet's, and so more often than not the next
	 * one's. NULL: none yet. */
	const struct snapshot_vip *guess;
	struct plain_shape shape;
};

/* At first, and when another snapshot is to be used: forget the old one. */
core_inline void burst_reset(struct burst_flows *b)
{
	b->n = b->n_asked = b->errors = 0;
	b->guess = (void *)0;
}

/* Bits of a word that say the backend. */
#define BURST_BACKEND_BITS (0xffffULL << FLOW_BACKEND_SHIFT)

/* What a packet has to find in its flow's word to change nothing, but for fingerprint and backend. */
core_inline __u64 burst_wanted(__u32 vip, __u32 signal, __u32 tick)
{
	/* A state that no word is in for packets that may change the flow's. */
	__u32 state = signal == TCP_ACK ? FLOW_ESTABLISHED : signal == SIGNAL_UDP ? FLOW_UDP : FLOW_STATE_MASK;

	return flow_word((__u64)(vip & FLOW_VIP_MASK) << FLOW_VIP_SHIFT, 0, state, tick);
}

/*
 * Any packet, whatever its shape. Returns 1 for a flow's, with its VIP, its signal, its source and its hash's
 * message: for a flow that isn't IPv4's the hash itself and a last word of 0, which no message has. Else 0 with
 * the verdict; or, for frame i of the burst, with its bit in b->errors: an ICMP error, whose turn comes among the
 * flows' packets. A bit in b->fragments: fragment_resolve() has the last word.
 */
core_apart int burst_match(const struct tables *t, const struct frame *f, const struct snapshot_vip **vip,
	__u8 *signal, struct addr *src, struct flow_message *message, struct verdict *v, __u32 i,
	struct burst_flows *b)
{
	struct packet p;
	struct lookup l = { 0 };
	enum match match;

	packet_parse(f, &p);
	b->fragments |= (__u32)(p.fragment != 0) << i;
	match = forward_match(t, f, &p, &l, v);
	if (match == MATCH_OTHER)
		match = forward_other(t, f, &p, v);
	b->errors |= (__u32)(match == MATCH_ERROR) << i;
	if (match != MATCH_FLOW)
		return 0;
	*vip = l.vip;
	*signal = l.signal;
	*src = p.src;
	*message = flow_message_ipv4(p.src, p.dst, p.sport, p.dport, p.proto);
	if (!addr_is_ipv4(p.dst)) {
		forward_hash(t, &p, &l);
		*message = (struct flow_message){ l.hash, 0 };
	}
	return 1;
}

/* Ask for what the look-up's next step reads. */
core_inline void burst_ask_for(
	const struct tables *t, const struct snapshot_access *list, const struct access_walk *w)
{
	const __u32 *at;

	if (!access_goes_on(w))
		return;
	at = &t->access_words[access_word(list, w)];
	__builtin_prefetch(at);
	if (access_stride(w->link) == ACCESS_DOUBLE)
		__builtin_prefetch(at + ACCESS_LINE);
}

/* A plain packet that is odd: the verdict, if it is faulty. */
core_cold int burst_is_odd(const struct tables *t, const struct frame *f, struct verdict *v)
{
	struct packet p;

	packet_parse(f, &p);
	if (p.kind != PACKET_FAULTY)
		return 0;
	forward_other(t, f, &p, v);
	return 1;
}

/* Whether a flow's packet is faulty after all, where plain_is_odd() has not been asked yet; then with its verdict.
 */
core_inline int burst_is_faulty(const struct tables *t, const struct frame *f, struct verdict *v)
{
	const struct plain_packet *plain = (const struct plain_packet *)f->data;

	/* More than an Ethernet header and an IP one it has for sure. Not of IPv4 it is not plain. */
	return plain->type == core_be16(ETHERTYPE_IPV4) && core_unlikely(plain_is_odd(plain)) &&
		burst_is_odd(t, f, v);
}

/* Flow i is of a VIP with an access list: ask for the source's place in its sieve. */
core_inline void burst_ask(const struct tables *t, struct burst_flows *b, __u32 i, __u32 vip, struct addr src)
{
	const struct snapshot_policy *policy = tables_policy(t, vip);
	__u64 bit = access_sieve_bit(&policy->sieve, src);
	__u32 n = b->n_asked++;

	__builtin_prefetch(&t->access_words[bit / 32]);
	b->asked[n] = (__u8)i;
	b->list[n] = tables_access(t, policy->access);
	b->sieve[n] = bit;
	b->src[n] = src;
}

/* Those who are in the sieve begin their look-ups; those who are not, and are let in, are asked for no further. */
core_apart void burst_sieve(const struct tables *t, struct burst_flows *b)
{
	__u32 n_asked = 0;

	for (__u32 n = 0; n < b->n_asked; n++) {
		__u32 concerned = access_concerns(t, b->sieve[n]) != 0, none = b->list[n]->sieve.none;

		/* Without a branch, which nobody could foresee. */
		b->asked[n_asked] = b->asked[n];
		b->list[n_asked] = b->list[n];
		b->src[n_asked] = b->src[n];
		b->walk[n_asked].link = concerned ? ACCESS_ON : none;
		n_asked += concerned | (none != 0);
	}
	b->n_asked = n_asked;
	for (__u32 n = 0; n < n_asked; n++) {
		if (!access_goes_on(&b->walk[n]))
			continue;
		b->walk[n] = access_begin(b->list[n], b->src[n]);
		burst_ask_for(t, b->list[n], &b->walk[n]);
	}
}

/* Each look-up to its end, and ask for the counters of the rules that decide. */
core_apart void burst_look_up(const struct tables *t, struct burst_flows *b)
{
	for (__u32 n = 0; n < b->n_asked; n++) {
		if (!access_goes_on(&b->walk[n]))
			continue;
		access_step(t, b->list[n], &b->walk[n]);
		burst_ask_for(t, b->list[n], &b->walk[n]);
	}
	for (__u32 n = 0; n < b->n_asked; n++) {
		__u32 result = access_finish(t, b->list[n], &b->walk[n]);

		b->walk[n].link = result;
		if (result & ACCESS_RULE)
			__builtin_prefetch(&t->stats->rule[(result & ACCESS_RULE) - 1], 1);
	}
}

/* The flow at index from goes on as index to. */
core_inline void burst_move(struct burst_flows *b, __u32 from, __u32 to)
{
	b->frame[to] = b->frame[from];
	b->signal[to] = b->signal[from];
	b->bucket[to] = b->bucket[from];
	b->vip[to] = b->vip[from];
	b->hash[to] = b->hash[from];
	b->wanted[to] = b->wanted[from];
}

/*
 * What the access lists say, of packets that are not faulty. Those that are kept out, or faulty, have their
 * verdict and are no longer among the flows.
 */
core_apart void burst_admit(
	const struct tables *t, const struct frame *frames, struct verdict *verdicts, struct burst_flows *b)
{
	__u32 gone = 0, kept = 0;

	burst_look_up(t, b);
	for (__u32 n = 0; n < b->n_asked; n++) {
		__u32 i = b->asked[n], frame = b->frame[i], result = b->walk[n].link;

		if (result &&
			(burst_is_faulty(t, &frames[frame], &verdicts[frame]) ||
				!forward_admitted(t, b->vip[i], result, &verdicts[frame])))
			gone |= 1u << i;
	}
	b->n_asked = 0;
	if (!gone)
		return;
	for (__u32 i = 0; i < b->n; i++)
		if (!(gone >> i & 1))
			burst_move(b, i, kept++);
	b->n = kept;
}

/*
 * n frames (0..BURST_MAX). Sets the verdicts of those that are no flow's packets. The worker's own thread. Nothing
 * here or in burst_finish() blocks, allocates or calls out.
 */
core_inline void burst_begin(const struct tables *t, const struct frame *frames, struct verdict *verdicts, __u32 n,
	struct burst_flows *b)
{
	__u64 first[BURST_MAX], last[BURST_MAX];
	const struct snapshot_vip *guess = b->guess;
	__u32 n_flows = 0, n_buckets = t->n_buckets, tick = t->tick;
	const __u64 *key;

	b->n = b->n_asked = b->errors = b->fragments = 0;
	if (core_unlikely(!t->header)) {
		for (__u32 i = 0; i < n; i++)
			verdict_set(&verdicts[i], ACTION_TO_KERNEL, COUNTER_TO_KERNEL);
		return;
	}
	for (__u32 i = 0; i < n; i++) {
		const struct snapshot_vip *vip = guess;
		struct flow_message message;
		struct addr src;
		__u8 signal;

		if (core_likely(guess && plain_is(&b->shape, &frames[i]))) {
			const struct plain_packet *p = (const struct plain_packet *)frames[i].data;

			message = plain_message(&b->shape, p);
			src = addr_from_ipv4((__be32)p->addresses);
			signal = plain_signal(&b->shape, p);
		} else {
			if (!burst_match(t, &frames[i], &vip, &signal, &src, &message, &verdicts[i], i, b))
				continue;
			guess = plain_shape_of(&b->shape, t, frames[i].port, vip) ? (void *)0 : vip;
		}
		first[n_flows] = message.first;
		last[n_flows] = message.last;
		b->wanted[n_flows] = burst_wanted(vip->vip, signal, tick);
		b->vip[n_flows] = vip;
		b->signal[n_flows] = signal;
		b->frame[n_flows] = (__u8)i;
		if (core_unlikely(vip->flags & VIP_ACCESS))
			burst_ask(t, b, n_flows, vip->vip, src);
		n_flows++;
	}
	b->n = n_flows;
	b->guess = guess;
	/* In vector registers. */
	key = t->header->hash_key;
	for (__u32 i = 0; i < n_flows; i++) {
		__u64 hash = flow_hash_ipv4(key, (struct flow_message){ first[i], last[i] });

		hash = last[i] ? hash : first[i];
		b->hash[i] = hash;
		b->wanted[i] |= flow_fingerprint(hash);
		b->bucket[i] = flow_first_bucket(hash, n_buckets);
	}
	if (core_unlikely(b->n_asked))
		burst_sieve(t, b);
	/* Into the second-level cache, which has room for a burst's misses while the first level's buffers serve
	 * others. */
	if (core_likely(n_buckets))
		for (__u32 i = 0; i < n_flows; i++)
			__builtin_prefetch(tables_bucket(t, b->bucket[i]), 0, 2);
}

/* A flow's packet that may change the flow's word, or doesn't find it in the first bucket. */
core_apart void burst_finish_other(
	const struct tables *t, const struct frame *f, const struct burst_flows *b, __u32 i, struct verdict *v)
{
	const struct plain_packet *plain = (const struct plain_packet *)f->data;
	struct lookup l = { .vip = b->vip[i], .hash = b->hash[i], .signal = b->signal[i] };
	struct packet p;

	if (burst_is_faulty(t, f, v))
		return;
	if (core_likely(plain->type == core_be16(ETHERTYPE_IPV4))) {
		l.src = addr_from_ipv4((__be32)plain->addresses);
	} else {
		packet_parse(f, &p);
		l.src = p.src;
	}
	forward_place(t, &l);
	forward_probe(t, &l);
	forward_finish(t, f, &l, v);
}

/* Look for the flows in their first buckets, and ask for what those that are not there as wanted will need. */
core_inline void burst_find(const struct tables *t, struct burst_flows *b)
{
	for (__u32 i = 0; i < b->n; i++) {
		const struct snapshot_vip *vip = b->vip[i];

		b->found[i] =
			(__u8)flow_bucket_match(tables_bucket(t, b->bucket[i]), b->wanted[i], ~BURST_BACKEND_BITS);
		if (core_likely(b->found[i]))
			continue;
		__builtin_prefetch(tables_bucket(t, flow_second_bucket(b->hash[i], t->n_buckets)), 1);
		if (vip->slot_count)
			__builtin_prefetch(&t->slots[forward_hash_slot(vip, flow_slot_hash(b->hash[i]))]);
	}
}

/*
 * A flow's packet whose flow was found in its first bucket, in the wanted state already, on a backend that takes
 * packets: nearly all. Returns 1 with the verdict and the frame's new MAC addresses, or 0 with nothing done.
 */
core_inline int burst_hit(
	const struct tables *t, const struct frame *f, const struct burst_flows *b, __u32 i, struct verdict *v)
{
	const struct flow_bucket *bucket = tables_bucket(t, b->bucket[i]);
	const struct snapshot_vip *vip = b->vip[i];
	const struct snapshot_backend *backend;
	__u32 usable = BACKEND_VALID | BACKEND_UP, id;
	__u64 word;

	if (core_unlikely(!b->found[i]))
		return 0;
	word = *(volatile const __u64 *)&bucket->word[core_lowest_bit8(b->found[i])];
	id = flow_word_backend(word);
	backend = &t->backends[id];
	/* An earlier packet of the burst or another worker may have changed the word since it was found. */
	if (core_unlikely(((word ^ b->wanted[i]) & ~BURST_BACKEND_BITS) || id >= t->header->n_backends))
		return 0;
	if (core_unlikely((backend->flags & usable) != usable || backend->pool != vip->pool))
		return 0;
	__builtin_memcpy(f->data, &backend->dst, 2 * sizeof(struct mac));
	*v = (struct verdict){ ACTION_TO_BACKEND, COUNTER_FORWARDED, backend->port, vip->vip, (__u16)id };
	return 1;
}

/* forward_sample() for the packet of this index in the burst, if it is a flow's. */
core_cold void burst_sample_one(const struct tables *t, const struct frame *frames, const struct verdict *verdicts,
	const struct burst_flows *b, __u32 index)
{
	struct lookup l = { 0 };
	__u32 i = index < b->n ? index : b->n - 1;

	while (i && b->frame[i] > index)
		i--;
	if (b->frame[i] != index)
		return;
	l.vip = b->vip[i];
	l.hash = b->hash[i];
	if (vip_scheduler(l.vip) == SCHEDULER_SOURCE_HASH) {
		struct packet p;

		packet_parse(&frames[index], &p);
		l.src = p.src;
	}
	forward_sample(t, &l, &verdicts[index]);
}

/* Those of the burst's packets that are of the sample. */
core_inline void burst_sample(const struct tables *t, const struct frame *frames, const struct verdict *verdicts,
	const struct burst_flows *b)
{
	__u64 first = tables_received(t);

	if (core_unlikely(!b->n))
		return;
	for (__u64 group = first >> SAMPLE_SHIFT; group <= (first + BURST_MAX - 1) >> SAMPLE_SHIFT; group++) {
		__u64 index = forward_sampled(group) - first;

		/* It may be behind the burst's beginning. */
		if (index < BURST_MAX)
			burst_sample_one(t, frames, verdicts, b, (__u32)index);
	}
}

/* The verdict on packet i of the flows'. Returns whether it was a hit, which is the caller's to count. */
core_inline __u32 burst_finish_one(const struct tables *t, const struct frame *frames, struct verdict *verdicts,
	const struct burst_flows *b, __u32 i)
{
	const struct frame *f = &frames[b->frame[i]];
	struct verdict *v = &verdicts[b->frame[i]];

	if (core_likely(t->n_buckets && burst_hit(t, f, b, i, v)))
		return 1;
	burst_finish_other(t, f, b, i, v);
	return 0;
}

/* Those on the ICMP errors among the frames before this one. Returns the others. */
core_cold __u32 burst_finish_errors(
	const struct tables *t, const struct frame *frames, struct verdict *verdicts, __u32 errors, __u32 before)
{
	for (__u32 i = 0; i < before; i++) {
		struct packet p;

		if (!(errors >> i & 1))
			continue;
		packet_parse(&frames[i], &p);
		forward_quoted(t, &frames[i], p, &verdicts[i]);
		errors &= ~(1u << i);
	}
	return errors;
}

/* All of them, in the order in which they came: an error may be about a flow that the burst changes. */
core_cold __u32 burst_finish_in_order(
	const struct tables *t, const struct frame *frames, struct verdict *verdicts, const struct burst_flows *b)
{
	__u32 hits = 0, errors = b->errors;

	for (__u32 i = 0; i < b->n; i++) {
		errors = burst_finish_errors(t, frames, verdicts, errors, b->frame[i]);
		hits += burst_finish_one(t, frames, verdicts, b, i);
	}
	burst_finish_errors(t, frames, verdicts, errors, BURST_MAX);
	return hits;
}

/*
 * The last step for fragments, in the order in which they came: a first one's flow has been found by now, and the
 * others of its datagram are often in the same burst.
 */
core_apart void burst_resolve(
	const struct tables *t, const struct frame *frames, struct verdict *verdicts, __u32 fragments)
{
	for (__u32 i = 0; i < BURST_MAX; i++) {
		struct packet p;

		if (!(fragments >> i & 1))
			continue;
		packet_parse(&frames[i], &p);
		fragment_resolve(t, &frames[i], &p, &verdicts[i]);
	}
}

/*
 * Sets the verdicts of the flows' packets, and of ICMP errors about them; those bound for a backend have their MAC
 * addresses rewritten. The bursts before this one have been counted as received, and no more.
 */
core_inline void burst_finish(
	const struct tables *t, const struct frame *frames, struct verdict *verdicts, struct burst_flows *b)
{
	__u32 hits = 0;

	if (core_unlikely(b->n_asked))
		burst_admit(t, frames, verdicts, b);
	if (core_likely(t->n_buckets))
		burst_find(t, b);
	if (core_unlikely(b->errors))
		hits = burst_finish_in_order(t, frames, verdicts, b);
	else
		for (__u32 i = 0; i < b->n; i++)
			hits += burst_finish_one(t, frames, verdicts, b, i);
	t->stats->counter[COUNTER_FLOW_HIT] += hits;
	burst_sample(t, frames, verdicts, b);
	if (core_unlikely(b->fragments))
		burst_resolve(t, frames, verdicts, b->fragments);
}

/* forward_account() for n packets that were sent to backends. */
core_inline void burst_account(
	const struct tables *t, const struct frame *frames, const struct verdict *verdicts, __u32 n)
{
	typedef __u64 packets_bytes __attribute__((vector_size(16), may_alias));
	struct stats_traffic *of_vip, *of_backend;
	packets_bytes sum = { 0, 0 };

	_Static_assert(__builtin_offsetof(struct stats_traffic, bytes) == 8, "packets and bytes side by side");
	for (__u32 i = 0; i < n; i++) {
		const packets_bytes one = { 1, frames[i].len };

		of_backend = &t->stats->backend[verdicts[i].backend];
		*(packets_bytes *)&of_backend->packets += one;
		sum += one;
		/* A run of packets of one VIP is added at its end. */
		if (i + 1 == n || verdicts[i + 1].vip != verdicts[i].vip) {
			of_vip = &t->stats->vip[verdicts[i].vip];
			*(packets_bytes *)&of_vip->packets += sum;
			sum = (packets_bytes){ 0, 0 };
		}
	}
}

/* Both halves at once. n: 0..BURST_MAX. To carry out an ACTION_ANSWER_* the body parses the frame again. */
core_inline void forward_burst(
	const struct tables *t, const struct frame *frames, struct verdict *verdicts, __u32 n)
{
	struct burst_flows b;

	burst_reset(&b);
	burst_begin(t, frames, verdicts, n, &b);
	burst_finish(t, frames, verdicts, &b);
}

#endif
