#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Packets that no client would send, or more than one could: straight onto an interface.

usage: _generate.py flows   IFACE MAC VIP PORT tcp|udp COUNT [--rate N] [--flags SA] [--first N]
       _generate.py random  IFACE MAC COUNT [--rate N] [--seed N]
       _generate.py cut     IFACE MAC VIP4 VIP6 [--rate N]

flows   one packet of each of COUNT flows, from 198.18.0.0/15 or 2001:db8:ffff::/48
random  COUNT frames of random bytes and length to MAC, every other with a plausible start
cut     every truncation of one frame of each kind

Prints the number of frames sent. TCP and UDP checksums are wrong, so that a real server drops what reaches it.
"""
import argparse
import errno
import os
import random
import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(mac, ethertype):
    return bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("02000000fe01") + struct.pack("!H", ethertype)


def ipv4(source, destination, proto, payload, options=b""):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 1, 0, 64,
                       proto, 0, source, destination) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source, destination, next_header, payload):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), next_header, 64, source, destination) + payload


def tcp(source, destination, flags):
    return struct.pack("!HHIIBBHHH", source, destination, 1, 1, 0x50, flags, 1024, 0, 0)


def udp(source, destination, payload=b"x" * 8):
    # A checksum that is surely wrong, for IPv4 would take 0 as none.
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0xDEAD) + payload


def consumed(iface):
    """Frames that the process behind this TAP has read."""
    with open(f"/sys/class/net/{iface}/statistics/tx_packets", encoding="ascii") as file:
        return int(file.read())


def put(wire, frame):
    """However full the way is: a veth loses what its other end has not taken yet, and says so."""
    while True:
        try:
            wire.send(frame)
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            time.sleep(0.001)


def pace(iface, frames, rate):
    """Send them all, at most rate a second. A TAP's queue holds 1000 frames and loses what is more: never have
    more than some hundreds on the way into one, however slow this machine is just now."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((iface, 0))
    is_tap = os.path.exists(f"/sys/class/net/{iface}/tun_flags")
    start, sent = time.monotonic(), 0
    first = consumed(iface) if is_tap else 0
    for frame in frames:
        put(wire, frame)
        sent += 1
        if sent % 32 == 0:
            ahead = sent / rate - (time.monotonic() - start)
            if ahead > 0.001:
                time.sleep(ahead)
            patience = time.monotonic() + 1
            while is_tap and sent - (consumed(iface) - first) > 300:
                if time.monotonic() > patience:  # some were lost all the same
                    first = consumed(iface) - sent
                time.sleep(0.001)
    return sent


def flows(args):
    proto = socket.IPPROTO_TCP if args.proto == "tcp" else socket.IPPROTO_UDP
    flags = sum({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}[letter] for letter in args.flags)
    six = ":" in args.vip
    vip = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, args.vip)
    start = ether(args.mac, 0x86DD if six else 0x0800)
    for number in range(args.first, args.first + args.count):
        port = 1024 + number % 50000
        segment = tcp(port, args.port, flags) if args.proto == "tcp" else udp(port, args.port)
        if six:
            source = socket.inet_pton(socket.AF_INET6, "2001:db8:ffff::") [:12] + struct.pack("!I", number // 7)
            yield start + ipv6(source, vip, proto, segment)
        else:
            source = struct.pack("!I", 0xC6120000 + number // 7 % 0x1FFFF)  # 198.18.0.0/15
            yield start + ipv4(source, vip, proto, segment)


def noise(args):
    dice = random.Random(args.seed)
    vip4, vip6 = socket.inet_aton("192.0.2.80"), socket.inet_pton(socket.AF_INET6, "2001:db8::80")
    client6 = socket.inet_pton(socket.AF_INET6, "2001:db8:ffff::1")
    for number in range(args.count):
        body = dice.randbytes(dice.randint(1, 1400))
        kind = number % 8
        if kind == 1:
            body = ipv4(socket.inet_aton("198.18.0.1"), vip4, dice.randrange(256), body)
        elif kind == 3:
            body = ipv6(client6, vip6, dice.choice([0, 6, 17, 43, 44, 51, 58, 60, 135, 139]), body)
        elif kind == 5:
            options = dice.randbytes(4 * dice.randint(0, 10))
            body = ipv4(socket.inet_aton("198.18.0.1"), vip4, 6, body, options)
        elif kind == 7:
            body = bytes([dice.choice([0x45, 0x4F, 0x40, 0x60, 0x65])]) + body
        ethertype = dice.choice([0x0800, 0x86DD, 0x8100, 0x88A8, 0x0806]) if kind in (0, 2, 7) else \
            {1: 0x0800, 5: 0x0800, 3: 0x86DD}.get(kind, dice.randrange(65536))
        yield ether(args.mac, ethertype) + body


def cut(args):
    vip4, vip6 = socket.inet_aton(args.vip4), socket.inet_pton(socket.AF_INET6, args.vip6)
    client4, client6 = socket.inet_aton("198.18.0.1"), socket.inet_pton(socket.AF_INET6, "2001:db8:ffff::1")
    packets4 = [ipv4(client4, vip4, 6, tcp(4000, 80, 2)), ipv4(client4, vip4, 17, udp(4000, 53)),
                ipv4(client4, vip4, 6, tcp(4000, 80, 2), bytes(40)),
                ipv4(client4, vip4, 1, b"\x08\x00\xf7\xfe\x00\x00\x00\x01" + bytes(8))]
    hop, route = b"\x06\x01" + bytes(14), b"\x3c\x00" + bytes(6)
    packets6 = [ipv6(client6, vip6, 6, tcp(4000, 80, 2)), ipv6(client6, vip6, 17, udp(4000, 53)),
                ipv6(client6, vip6, 0, hop + tcp(4000, 80, 2)),
                ipv6(client6, vip6, 43, route + b"\x06\x00" + bytes(6) + tcp(4000, 80, 2)),
                ipv6(client6, vip6, 58, b"\x80\x00\x00\x00\x00\x00\x00\x01" + bytes(8)),
                ipv6(client6, vip6, 58, b"\x87\x00\x00\x00\x00\x00\x00\x00" + vip6)]
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, bytes.fromhex("02000000fe01"), client4, bytes(6), vip4)
    kinds = [(0x0800, p) for p in packets4] + [(0x86DD, p) for p in packets6] + [(0x0806, arp)]
    for ethertype, packet in kinds:
        for tags in (b"", b"\x00\x05\x81\x00", b"\x00\x05\x81\x00\x00\x06\x81\x00"):
            # A tag is a TCI, then the type of what follows; the first type stands in the Ethernet header.
            head = ether(args.mac, 0x8100 if tags else ethertype)
            if tags:
                head += tags[:-2] + struct.pack("!H", ethertype)
            frame = head + packet
            for length in range(15, len(frame) + 1):  # the kernel wants more than an Ethernet header
                yield frame[:length]


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("flows")
    two = kinds.add_parser("random")
    three = kinds.add_parser("cut")
    for kind in (one, two, three):
        kind.add_argument("iface")
        kind.add_argument("mac")
        kind.add_argument("--rate", type=int, default=40000)
    one.add_argument("vip")
    one.add_argument("port", type=int)
    one.add_argument("proto", choices=["tcp", "udp"])
    one.add_argument("count", type=int)
    one.add_argument("--flags", default="S")
    one.add_argument("--first", type=int, default=0)
    two.add_argument("count", type=int)
    two.add_argument("--seed", type=int, default=1)
    three.add_argument("vip4")
    three.add_argument("vip6")
    return parser.parse_args()


if __name__ == "__main__":
    wanted = arguments()
    print(pace(wanted.iface, {"flows": flows, "random": noise, "cut": cut}[wanted.kind](wanted), wanted.rate))
    sys.exit(0)
