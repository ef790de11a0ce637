#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Golden vectors of the forwarding core, from an implementation of its own.

Everything here is written from the papers and from the contract in the core's headers, not from the core's
code: SipHash, addresses in memory, Maglev's turns, the flow word's fields. `vectors.py` prints vectors.h;
`vectors.py --check FILE` says whether FILE still agrees. A difference means that load balancers of two
releases would disagree on where a flow goes: change the file only together with an ABI number.
"""

import ipaddress
import sys

MASK = (1 << 64) - 1


def rotate(x, bits):
    return ((x << bits) | (x >> (64 - bits))) & MASK


def siphash(key, message, compress, finalise):
    """SipHash-c-d of bytes, key as two 64-bit numbers (Aumasson and Bernstein 2012)."""
    v = [
        key[0] ^ 0x736F6D6570736575,
        key[1] ^ 0x646F72616E646F6D,
        key[0] ^ 0x6C7967656E657261,
        key[1] ^ 0x7465646279746573,
    ]

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(compress)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(finalise)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# The paper's test key is the bytes 00..0f, its messages the bytes 00, 00 01, ...; these are from its
# reference implementation (vectors_sip64), and prove the function above, rounds apart.
PAPER_KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
PAPER_24 = {
    0: 0x726FDB47DD0E0E31,
    1: 0x74F839C593DC67FD,
    7: 0xAB0200F58B01D137,
    8: 0x93F5F5799A932462,
    15: 0xA129CA6149BE45E5,
    16: 0x3F2ACC7F57C29BDB,
    63: 0x958A324CEB064572,
}

KEYS = [(0, 0), PAPER_KEY, (0xFFFFFFFFFFFFFFFF, 0x8000000000000001)]

FLOWS = [
    ("0.0.0.0", "0.0.0.0", 0, 0, 0),
    ("198.51.100.2", "192.0.2.80", 40000, 80, 6),
    ("198.51.100.2", "192.0.2.80", 40001, 80, 6),
    ("198.51.100.2", "192.0.2.80", 40000, 80, 17),
    ("198.51.100.3", "192.0.2.80", 40000, 80, 6),
    ("255.255.255.255", "255.255.255.255", 65535, 65535, 255),
    ("10.1.2.3", "192.0.2.81", 1, 53, 17),
    ("::", "::1", 0, 0, 0),
    ("2001:db8:1::2", "2001:db8::80", 40000, 80, 6),
    ("2001:db8:1::2", "2001:db8::80", 40000, 443, 6),
    ("2001:db8:1::2", "2001:db8::80", 40000, 80, 17),
    ("fe80::1:2:3:4", "2001:db8::ffff:192.0.2.80", 65535, 1, 17),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, 65535, 255),
]

ADDRESSES = ["0.0.0.0", "10.0.0.11", "192.0.2.80", "255.255.255.255", "::", "2001:db8:a::11", "2001:db8::80"]


def wire(text):
    return ipaddress.ip_address(text).packed


def memory(text):
    """The sixteen bytes of struct addr, as two little-endian numbers."""
    raw = wire(text)
    if len(raw) == 4:
        raw = bytes(10) + b"\xff\xff" + raw
    return int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")


def flow_hash(key, flow):
    src, dst, sport, dport, proto = flow
    message = wire(src) + wire(dst) + sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + bytes([proto])
    return siphash(key, message, 1, 3)


def scale(hash32, n):
    return hash32 * n >> 32


def flow_place(hash_, vip, n_buckets):
    tag = (hash_ & 0x1FFFFF) | (vip & 0xFFF) << 21
    return tag, scale(hash_ >> 32, n_buckets), scale(hash_ >> 11 & 0xFFFFFFFF, n_buckets)


def vip_home(text, port, proto, size):
    hi, lo = memory(text)
    fold = (lo ^ hi * 3) & MASK
    fold = (fold ^ fold >> 32) & 0xFFFFFFFF
    service = port + proto * 0x9E37
    return ((fold | service << 32) * 0x9E3779B97F4A7C15 & MASK) >> 32 & (size - 1)


def turns(weights):
    """Members in the order of their turns: the k-th of weight w in round ceil(k * greatest / w); within a round
    in the order of their turns before, so at first in the order given."""
    greatest = max(weights)
    due = {}

    def queue(member, k):
        due.setdefault(-(-k * greatest // weights[member]), []).append((member, k))

    for member in range(len(weights)):
        queue(member, 1)
    number = 0
    while True:
        number += 1
        for member, k in due.pop(number, []):
            yield member
            queue(member, k + 1)


def maglev(key, addresses, weights, n_slots):
    nexts, skips = [], []
    for text in addresses:
        h = siphash(key, wire(text), 1, 3)
        nexts.append(scale(h & 0xFFFFFFFF, n_slots))
        skips.append(scale(h >> 32, n_slots - 1) + 1)
    slots = [None] * n_slots
    filled = 0
    for member in turns(weights):
        slot = nexts[member]
        while slots[slot] is not None:
            slot = (slot + skips[member]) % n_slots
        nexts[member] = slot
        slots[slot] = member
        filled += 1
        if filled == n_slots:
            return slots


def round_robin(weights, n_slots):
    order = turns(weights)
    return [next(order) for _ in range(n_slots)]


def digest(slots):
    """FNV-1a, 64 bits, of the slots as little-endian 16-bit numbers."""
    h = 0xCBF29CE484222325
    for slot in slots:
        for byte in slot.to_bytes(2, "little"):
            h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def snapshot_checksum(words):
    """Of 64-bit words, the fourth (the checksum's own) taken for 0: four lanes of multiply and fold, then one."""
    size = len(words) * 8
    lanes = [size, ~size & MASK, size * 3, size * 5]
    for i, word in enumerate(words):
        x = (lanes[i % 4] ^ (0 if i == 3 else word)) * 0x9E3779B97F4A7C15 & MASK
        lanes[i % 4] = x ^ x >> 29
    total = lanes[0]
    for lane in lanes[1:]:
        total = (total ^ lane) * 0xD6E8FEB86659FD93 & MASK
        total ^= total >> 32
    return total


# (key, members, weight of member i, first address, slots, kind)
SLOT_TABLES = [
    (1, 1, lambda i: 1, "10.0.0.1", 65537, "maglev"),
    (1, 3, lambda i: 100, "10.0.0.1", 65537, "maglev"),
    (1, 4, lambda i: [1, 2, 3, 4][i], "10.0.0.1", 65537, "maglev"),
    (2, 3, lambda i: [1, 65535, 77][i], "10.0.0.1", 65537, "maglev"),
    (1, 100, lambda i: 100, "10.0.0.1", 65537, "maglev"),
    (1, 1000, lambda i: 1 + i % 7, "10.0.0.1", 65537, "maglev"),
    (1, 3, lambda i: 100, "2001:db8:a::1", 65537, "maglev"),
    (0, 5, lambda i: 1 + i, "10.0.0.1", 251, "maglev"),
    (1, 4, lambda i: [1, 2, 3, 4][i], "10.0.0.1", 65537, "round-robin"),
    (1, 3, lambda i: 100, "10.0.0.1", 65537, "round-robin"),
]


def c64(x):
    return f"0x{x:016x}ULL"


def c_addr(text):
    return "{{ {}, {} }}".format(*map(c64, memory(text)))


def render():
    out = []
    say = out.append
    say("/* SPDX-License-Identifier: BSD-3-Clause */")
    say("/*")
    say(" * Golden vectors: what every compiler, the BPF program and every later release must agree on, since load")
    say(" * balancers of a fleet, and a flow table that outlives its process, rest on it. Computed by vectors.py, which")
    say(" * shares no code with the core; the unit test `vectors` checks that the two still agree.")
    say(" */")
    say("#ifndef SHUNT_VECTORS_H")
    say("#define SHUNT_VECTORS_H")
    say("")
    say('#include "types.h"')
    say("")
    say("/* SipHash-1-3 of flows; ports in host order. */")
    say("static const struct flow_vector {")
    say("\t__u64 key[2];")
    say("\tstruct addr src, dst;")
    say("\t__u16 sport, dport;")
    say("\t__u8 proto;")
    say("\t__u64 hash;")
    say("} flow_vectors[] = {")
    for key in KEYS:
        for flow in FLOWS:
            src, dst, sport, dport, proto = flow
            say(f"\t/* {src}:{sport} > {dst}:{dport}/{proto} */")
            say(f"\t{{ {{ {c64(key[0])}, {c64(key[1])} }},")
            say(f"\t  {c_addr(src)},")
            say(f"\t  {c_addr(dst)},")
            say(f"\t  {sport}, {dport}, {proto}, {c64(flow_hash(key, flow))} }},")
    say("};")
    say("")
    say("/* SipHash-1-3 of one address. */")
    say("static const struct source_vector {")
    say("\t__u64 key[2];")
    say("\tstruct addr address;")
    say("\t__u64 hash;")
    say("} source_vectors[] = {")
    for key in KEYS:
        for text in ADDRESSES:
            say(f"\t/* {text} */")
            say(f"\t{{ {{ {c64(key[0])}, {c64(key[1])} }},")
            say(f"\t  {c_addr(text)}, {c64(siphash(key, wire(text), 1, 3))} }},")
    say("};")
    say("")
    say("/* SipHash-1-3 of nothing: what a flow table keeps of the key. */")
    say("static const struct key_vector {")
    say("\t__u64 key[2];")
    say("\t__u64 check;")
    say("} key_vectors[] = {")
    for key in KEYS:
        say(f"\t{{ {{ {c64(key[0])}, {c64(key[1])} }}, {c64(siphash(key, b'', 1, 3))} }},")
    say("};")
    say("")
    say("/* Where a flow's word is in the table, and what of the word names the flow. */")
    say("static const struct place_vector {")
    say("\t__u64 hash;")
    say("\t__u32 vip, n_buckets;")
    say("\t__u64 tag;")
    say("\t__u32 bucket[2];")
    say("} place_vectors[] = {")
    hashes = [flow_hash(PAPER_KEY, f) for f in FLOWS[:4]] + [0, MASK, 0x00000400_00000800]
    for h in hashes:
        for vip, n in ((0, 192), (7, 249936), (4096 + 5, 249999936), (65534, 1)):
            tag, b0, b1 = flow_place(h, vip, n)
            say(f"\t{{ {c64(h)}, {vip}, {n}, {c64(tag)}, {{ {b0}, {b1} }} }},")
    say("};")
    say("")
    say("/* Home of a VIP in the index; port in host order. */")
    say("static const struct vip_vector {")
    say("\tstruct addr address;")
    say("\t__u16 port;")
    say("\t__u8 proto;")
    say("\t__u32 size, home;")
    say("} vip_vectors[] = {")
    for text in ADDRESSES:
        for port, proto, size in ((80, 6, 16), (53, 17, 4096), (0, 0, 131072), (443, 6, 1)):
            home = vip_home(text, port, proto, size)
            say(f"\t{{ {c_addr(text)}, {port}, {proto}, {size}, {home} }}, /* {text} */")
    say("};")
    say("")
    say("/* Checksum of a block of size bytes, whose i-th 64-bit word is i in each of its bytes. */")
    say("static const struct checksum_vector {")
    say("\t__u64 size, checksum;")
    say("} checksum_vectors[] = {")
    for size in (256, 264, 320, 512):
        words = [i * 0x0101010101010101 for i in range(size // 8)]
        say(f"\t{{ {size}, {c64(snapshot_checksum(words))} }},")
    say("};")
    say("")
    say("/*")
    say(" * Slot tables of members with consecutive addresses and ids from 0: FNV-1a (64 bits) of the slots as")
    say(" * little-endian 16-bit numbers, and the first eight slots.")
    say(" */")
    say("static const struct slots_vector {")
    say("\t__u64 key[2];")
    say("\tstruct addr first;")
    say("\t__u32 n_slots, n_members;")
    say("\t__u16 weight[8]; /* of member i: weight[i % n_weights] */")
    say("\t__u32 n_weights;")
    say("\tint maglev; /* else round robin */")
    say("\t__u64 digest;")
    say("\t__u16 slots[8];")
    say("} slots_vectors[] = {")
    for key, n, weight, first, n_slots, kind in SLOT_TABLES:
        weights = [weight(i) for i in range(n)]
        start = ipaddress.ip_address(first)
        addresses = [str(start + i) for i in range(n)]
        if kind == "maglev":
            slots = maglev(KEYS[key], addresses, weights, n_slots)
        else:
            slots = round_robin(weights, n_slots)
        period = 7 if n == 1000 else min(n, 8)
        if weights == weights[:1] * n:
            period = 1
        say(f"\t/* {kind}, {n} members from {first} */")
        say(f"\t{{ {{ {c64(KEYS[key][0])}, {c64(KEYS[key][1])} }},")
        say(f"\t  {c_addr(first)}, {n_slots}, {n},")
        say(f"\t  {{ {', '.join(map(str, weights[:period]))} }}, {period}, {int(kind == 'maglev')}, {c64(digest(slots))},")
        say(f"\t  {{ {', '.join(map(str, slots[:8]))} }} }},")
    say("};")
    say("")
    say("#endif")
    return "\n".join(out) + "\n"


def main():
    message = bytes(range(64))
    for length, expected in PAPER_24.items():
        if siphash(PAPER_KEY, message[:length], 2, 4) != expected:
            sys.exit(f"vectors.py: SipHash-2-4 of {length} bytes is not what the paper says")
    text = render()
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="utf-8") as file:
            if file.read() != text:
                sys.exit(f"{sys.argv[2]}: not what vectors.py computes (print its version with vectors.py and compare)")
        print("vectors agree")
    else:
        sys.stdout.write(text)


main()
