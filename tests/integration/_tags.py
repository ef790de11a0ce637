#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames under every kind of tag, put on lb's cable, and what became of each.

usage: _tags.py PREFIX HOST WIRE KERNEL_INTERFACE LB_MAC VIP4 VIP6

HOST and WIRE say where they are sent. Forwarded ones are looked for at the real servers, answers where the
router has lb, what is the kernel's on KERNEL_INTERFACE of lb. Tags, DSCP, ECN and all else but the MAC addresses have to be as
they were. Prints how many were seen of each kind; exit status 1 and what is missing or different otherwise.
"""
import ctypes
import os
import select
import socket
import struct
import sys
import time

from _generate import checksum

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, CLONE_NEWNET = 3, 263, 8, 0x40000000
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40

TAGS = {
    "untagged": b"",
    "802.1Q": bytes.fromhex("81006005"),
    "802.1Q, eligible to be dropped": bytes.fromhex("81003fff"),
    "priority": bytes.fromhex("8100e000"),
    "QinQ": bytes.fromhex("88a80064 8100a005"),
    "802.1Q twice": bytes.fromhex("81000064 81000005"),
}


def in_namespace(name, iface):
    """A packet socket on an interface of another host."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"setns {name}")
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind((iface, ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    libc.setns(here, CLONE_NEWNET)
    os.close(there)
    os.close(here)
    return wire


def receive(wire):
    """A frame as it was on the cable: the kernel has taken the outer tag off. None for what this host sends."""
    frame, notes, _, sender = wire.recvmsg(65536, 256)
    if sender[2] == socket.PACKET_OUTGOING:
        return None
    for level, kind, value in notes:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


def ipv4(source, destination, proto, payload, tos=0, options=b"", fragment=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, tos, 20 + len(options) + len(payload), 7, fragment,
                       64, proto, 0, source, destination) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source, destination, next_header, payload, traffic_class=0, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28 | traffic_class << 20 | 0x12345, len(payload), next_header, hops, source,
                       destination) + payload


def pseudo(source, destination, next_header, payload):
    return source + destination + struct.pack("!II", len(payload), next_header) + payload


def with_sum(message, before=b""):
    """An ICMP message with its checksum, before: the pseudo header's first part."""
    return message[:2] + struct.pack("!H", checksum(before + message)) + message[4:]


class Wanted:
    """A frame to be sent, and what is to be seen of it."""

    def __init__(self, number, kind, tag_name, ethertype, packet, answer=None):
        self.kind, self.name = kind, f"{kind}, {tag_name}"
        self.source = bytes.fromhex("02000001") + struct.pack("!H", number)
        self.tags, self.answer = TAGS[tag_name], answer
        self.rest = self.tags + struct.pack("!H", ethertype) + packet
        self.seen = False


def kinds(number, vip4, vip6, host):
    """Each kind as (where it goes, name, EtherType, packet, answer)."""
    four, six = socket.inet_aton("198.18.7.1"), socket.inet_pton(socket.AF_INET6, "2001:db8:ffff::7")
    port = 10000 + number
    syn = struct.pack("!HHIIBBHHH", port, 80, 1, 0, 0x50, 2, 1024, 0xDEAD, 0) + bytes(range(20))
    flags = struct.pack("!HHIIBBHHH", port, 80, 1, 1, 0x50, 0xF2, 1024, 0xDEAD, 0)
    ask = struct.pack("!HHHH", port, 53, 28, 0xDEAD) + bytes(range(20))
    hop, options = b"%c\0\1\4\0\0\0\0", bytes.fromhex("9404000001010101")
    quote4 = ipv4(vip4, four, 6, struct.pack("!HHI", 80, port, 9), options=options)
    quote6 = ipv6(vip6, six, 0, hop % 6 + struct.pack("!HHI", 80, port, 9))
    ping = struct.pack("!BBHHH", 8, 0, 0, port, 1) + bytes(range(30))
    ping6 = struct.pack("!BBHHH", 128, 0, 0, port, 1) + bytes(range(30))
    pong6 = b"\x81" + ping6[1:]
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, bytes(6), four, bytes(6), vip4)
    solicit = struct.pack("!BBHI16s", 135, 0, 0, 0, vip6)
    return [
        ("backend", "TCP over IPv4, CS7 and ECT(1)", 0x0800, ipv4(four, vip4, 6, syn, 0xE1), None),
        ("backend", "TCP over IPv4 with ECE, CWR, URG and ACK, CE", 0x0800, ipv4(four, vip4, 6, flags, 0x03), None),
        ("backend", "TCP over IPv4 with options", 0x0800, ipv4(four, vip4, 6, syn, 0xB8, options), None),
        ("backend", "UDP over IPv4, ECT(0)", 0x0800, ipv4(four, vip4, 17, ask, 0x02), None),
        ("backend", "TCP over IPv6, EF and CE", 0x86DD, ipv6(six, vip6, 6, syn, 0xBB), None),
        ("backend", "UDP over IPv6 behind options", 0x86DD, ipv6(six, vip6, 0, hop % 17 + ask, 0xE1), None),
        ("backend", "ICMP error", 0x0800,
         ipv4(four, vip4, 1, with_sum(struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + quote4), 0xC0), None),
        ("backend", "ICMPv6 error", 0x86DD, ipv6(six, vip6, 58, with_sum(
            msg := struct.pack("!BBHI", 2, 0, 0, 1400) + quote6, pseudo(six, vip6, 58, msg)[:40]), 0xC0), None),
        ("answer", "ping over IPv4", 0x0800, ipv4(four, vip4, 1, with_sum(ping), 0x28),
         lambda f: f[9] == 1 and f[12:16] == vip4 and f[16:20] == four and not checksum(f[:20]) and f[20] == 0 and
         f[24:] == ping[4:] and not checksum(f[20:])),
        ("answer", "ping over IPv6", 0x86DD, ipv6(six, vip6, 58, with_sum(ping6, pseudo(six, vip6, 58, ping6)[:40])),
         lambda f: f[8:24] == vip6 and f[24:40] == six and f[40] == 129 and f[44:] == pong6[4:] and
         not checksum(pseudo(vip6, six, 58, f[40:]))),
        ("answer", "ARP request", 0x0806, arp, lambda f: f[6:8] == b"\0\2" and f[14:18] == vip4 and f[24:28] == four),
        ("answer", "neighbour solicitation", 0x86DD, ipv6(six, vip6, 58, with_sum(
            solicit, pseudo(six, vip6, 58, solicit)[:40]), hops=255),
         lambda f: f[24:40] == six and f[40] == 136 and f[48:64] == vip6 and not checksum(
             pseudo(f[8:24], f[24:40], 58, f[40:40 + struct.unpack("!H", f[4:6])[0]]))),
        ("kernel", "UDP for the host", 0x0800, ipv4(four, host, 17, ask, 0x2E), None),
    ]


def main():
    prefix, host, iface, kernel_interface, lb_mac = sys.argv[1:6]
    own = bytes.fromhex(lb_mac.replace(":", ""))
    vip4, vip6 = socket.inet_aton(sys.argv[6]), socket.inet_pton(socket.AF_INET6, sys.argv[7])
    servers = {in_namespace(f"{prefix}rs{i}", "eth0"): bytes.fromhex(f"02000000001{i}") for i in (1, 2, 3)}
    router = in_namespace(prefix + "router", "lb")
    kernel = in_namespace(prefix + "lb", kernel_interface)
    sender = in_namespace(prefix + host, iface)

    wanted, number = [], 0
    for tag_name in TAGS:
        for where, kind, ethertype, packet, answer in kinds(number, vip4, vip6, socket.inet_aton("10.0.0.2")):
            wanted.append(Wanted(number, kind, tag_name, ethertype, packet, answer))
            wanted[-1].where = where
            # As long as a frame has to be on a real cable.
            sender.send((own + wanted[-1].source + wanted[-1].rest).ljust(60, b"\0"))
            number += 1
    by_rest = {w.rest.ljust(48, b"\0"): w for w in wanted}
    by_source = {w.source: w for w in wanted if w.where == "answer"}

    end = time.monotonic() + 15
    while not all(w.seen for w in wanted) and time.monotonic() < end:
        for wire in select.select([*servers, router, kernel], [], [], 0.2)[0]:
            frame = receive(wire)
            if not frame:
                continue
            to, source, rest = frame[:6], frame[6:12], frame[12:]
            same = by_rest.get(rest)
            if wire in servers and same and same.where == "backend" and (to, source) == (servers[wire], own):
                same.seen = True
            elif wire is kernel and same and same.where == "kernel" and (to, source) == (own, same.source):
                same.seen = True
            elif wire is router and source == own and to in by_source:
                w = by_source[to]
                length = len(w.tags) + 2
                if rest[:length] == w.rest[:length] and w.answer(rest[length:][:len(w.rest) - length + 8]):
                    w.seen = True
                else:
                    print(f"{w.name}: another answer: {frame.hex()}")
    for w in wanted:
        if not w.seen:
            print(f"{w.name}: not seen")
    print(f"{sum(w.seen for w in wanted)} of {len(wanted)} frames as they have to be")
    return 0 if all(w.seen for w in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
