#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A router's way to a VIP on which every packet is sent in fragments, in an order of one's choice.

usage: _fragment.py relay IFACE MAC [--vip ADDR...] [--tags]
       _fragment.py ask   ADDR PORT FLOWS ROUNDS SIZE [--source ADDR]
       _fragment.py serve NAME PORT
       _fragment.py upload ADDR PORT CONNECTIONS SIZE
       _fragment.py odd   IFACE MAC VIP4 VIP6 KIND COUNT

relay   takes what this host routes to the VIPs into a TUN device, and sends it to MAC over IFACE, what is larger than
        PIECE in fragments. Lines on standard input say the order: "straight" (packet by packet, first fragment first),
        "reversed" (last fragment first), "shuffled" (all fragments of up to BATCH packets, anyhow), "interleaved" (a
        fragment of each packet in turn). Answers "ok" to each. With --tags each fragment has a priority tag with
        another priority, by which Linux chooses another queue of a TAP.
ask     FLOWS sockets of this host ask the lab's UDP service ROUNDS times with SIZE random bytes; all of it has to come
        back, from the same server each time. Prints the servers.
serve   a TCP service: reads until the client has closed its side, answers NAME and what came in as SHA-256
upload  CONNECTIONS at a time send SIZE random bytes to it. Prints the servers.
odd     COUNT fragments that no host sends: "tiny" first ones, TCP at offset 8 ("offset"), "orphans" without a first
        (each of another source), "overlap" (COUNT datagrams: a first of 64 bytes and a later one at offset 56)

IPv4 and IPv6 alike.
"""
import argparse
import fcntl
import hashlib
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time

from _generate import put

PIECE = 256  # bytes of the datagram in a fragment
BATCH = 16
GATHER_S = 0.003
PATIENCE = 5
ROUTER_MAC = bytes.fromhex("02000000fe02")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_checksum(head):
    return head[:10] + struct.pack("!H", checksum(head[:10] + b"\0\0" + head[12:])) + head[12:]


def fragment4(packet, number, offset, data, more):
    """A fragment of an IPv4 packet: its header with other fields, and data from offset on."""
    head = bytearray(packet[:(packet[0] & 15) * 4])
    struct.pack_into("!HHH", head, 2, len(head) + len(data), number & 0xFFFF, offset // 8 | (0x2000 if more else 0))
    return with_checksum(bytes(head)) + data


def fragment6(packet, number, offset, data, more):
    head = bytearray(packet[:40])
    struct.pack_into("!HB", head, 4, 8 + len(data), 44)
    return bytes(head) + struct.pack("!BBHI", packet[6], 0, offset | more, number) + data


def fragments(packet, number):
    """A packet in pieces; one that is small or a fragment already stays whole."""
    if packet[0] >> 4 == 4:
        size, make = (packet[0] & 15) * 4, fragment4
        whole = struct.unpack("!H", packet[6:8])[0] & 0x3FFF == 0
    else:
        size, make = 40, fragment6
        whole = packet[6] in (6, 17)
    data = packet[size:]
    if not whole or len(data) <= PIECE:
        return [packet]
    return [make(packet, number, at, data[at:at + PIECE], at + PIECE < len(data)) for at in range(0, len(data), PIECE)]


def ordered(packets, order):
    """Lists of fragments as one, in this order."""
    if order == "straight":
        return [f for packet in packets for f in packet]
    if order == "reversed":
        return [f for packet in packets for f in reversed(packet)]
    if order == "interleaved":
        longest = max(len(packet) for packet in packets)
        return [packet[i] for i in range(longest) for packet in packets if i < len(packet)]
    everything = [f for packet in packets for f in packet]
    random.shuffle(everything)
    return everything


def ether(mac, packet, tag):
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return mac + ROUTER_MAC + (struct.pack("!HH", 0x8100, random.randrange(8) << 13) if tag else b"") + kind + packet


def raw_socket(iface):
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    out.bind((iface, 0))
    return out


def open_tun(vips):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"fragments", IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", "fragments", "up", "mtu", "1500", "txqueuelen", "5000"], check=True)
    for vip in vips:
        subprocess.run(["ip", "route", "add", vip, "dev", "fragments"], check=True)
    return tun


def relay(options):
    tun, out, mac = open_tun(options.vip), raw_socket(options.iface), bytes.fromhex(options.mac.replace(":", ""))
    order, number = "straight", random.getrandbits(32)
    print("ready", flush=True)
    while True:
        batch, until = [], None
        while len(batch) < BATCH:
            wait = None if until is None else max(0, until - time.monotonic())
            ready = select.select([tun, sys.stdin], [], [], wait)[0]
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    return
                order = line.strip()
                print("ok", flush=True)
            if tun in ready:
                number = number + 1 & 0xFFFFFFFF
                batch.append(fragments(os.read(tun, 65536), number))
                until = until or time.monotonic() + GATHER_S
            elif until is not None and not ready:
                break
        for packet in ordered(batch, order):
            put(out, ether(mac, packet, options.tags))
        # What has come before its first fragment waits in a room that is not large.
        if order != "straight":
            time.sleep(GATHER_S)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def answered(client, question):
    """The answer to a question that has been sent; asks again a few times if it seems to be lost."""
    for _ in range(PATIENCE):
        try:
            return client.recv(65536).split(b" ", 1)
        except TimeoutError:
            client.send(question)
    sys.exit("no answer")


def ask(options):
    sockets, servers = [], {}
    for _ in range(options.flows):
        client = socket.socket(family(options.address), socket.SOCK_DGRAM)
        # Too large for the cable is for the kernel to cut; no path MTU is known for long.
        client.setsockopt(socket.IPPROTO_IP, 10, 0)
        client.settimeout(1)
        if options.source:
            client.bind((options.source, 0))
        client.connect((options.address, options.port))
        sockets.append(client)
    for _ in range(options.rounds):
        questions = [os.urandom(options.size) for _ in sockets]
        for client, question in zip(sockets, questions):
            client.send(question)
        for client, question in zip(sockets, questions):
            name, answer = answered(client, question)
            if answer != question:
                sys.exit(f"{name} got something else")
            if servers.setdefault(client, name) != name:
                sys.exit(f"a flow went to {servers[client]}, then to {name}")
    print(" ".join(sorted({name.decode() for name in servers.values()})))


def serve(options):
    def one(connection):
        digest = hashlib.sha256()
        while data := connection.recv(65536):
            digest.update(data)
        connection.sendall(f"{options.name} {digest.hexdigest()}".encode())
        connection.close()

    service = socket.create_server(("::", options.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
    while True:
        threading.Thread(target=one, args=[service.accept()[0]], daemon=True).start()


def upload(options):
    servers = []

    def one():
        data = os.urandom(options.size)
        with socket.create_connection((options.address, options.port), 30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(4096):
                answer += part
        name, digest = answer.decode().split()
        if digest == hashlib.sha256(data).hexdigest():
            servers.append(name)

    threads = [threading.Thread(target=one) for _ in range(options.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(servers) != options.connections:
        sys.exit(f"{len(servers)} of {options.connections} uploads arrived")
    print(" ".join(sorted(set(servers))))


def odd(options):
    out, mac = raw_socket(options.iface), bytes.fromhex(options.mac.replace(":", ""))
    vip4, vip6 = (socket.inet_pton(family(vip), vip) for vip in (options.vip4, options.vip6))
    number = random.getrandbits(16)

    def packet(i, proto, six):
        source = i + 1
        if six:
            return struct.pack("!IHBB", 6 << 28, 0, proto, 64) + bytes.fromhex("20010db8ffff0000") + struct.pack(
                "!Q", source) + vip6
        return struct.pack("!BBHHHBBH", 0x45, 0, 20, 0, 0, 64, proto, 0) + struct.pack(
            "!I", (198 << 24 | 18 << 16) + source) + vip4

    for i in range(options.count):
        make = fragment6 if i & 1 else fragment4
        tcp = struct.pack("!HHIIBBHHH", 1024 + i % 60000, 80, 1, 0, 0x50, 2, 1024, 0, 0) + bytes(44)
        udp = struct.pack("!HHHH", 1024 + i % 60000, 53, 200, 0) + bytes(56)
        if options.kind == "tiny":
            sent = [make(packet(i, 6, i & 1), number + i, 0, tcp[:16], 1)]
        elif options.kind == "offset":
            sent = [make(packet(i, 6, i & 1), number + i, 8, tcp[8:24], 0)]
        elif options.kind == "orphans":
            sent = [make(packet(i, 17, i & 1), number + i, 64, bytes(64), 0)]
        else:
            sent = [make(packet(i, 17, i & 1), number + i, 0, udp, 1),
                    make(packet(i, 17, i & 1), number + i, 56, bytes(64), 0)]
        for fragment in sent:
            put(out, ether(mac, fragment, False))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)

    def command(run, *arguments):
        one = commands.add_parser(run.__name__)
        one.set_defaults(run=run)
        for name, kind in arguments:
            one.add_argument(name, type=kind)
        return one

    one = command(relay, ("iface", str), ("mac", str))
    one.add_argument("--vip", nargs="+", default=[])
    one.add_argument("--tags", action="store_true")
    one = command(ask, ("address", str), ("port", int), ("flows", int), ("rounds", int), ("size", int))
    one.add_argument("--source")
    command(serve, ("name", str), ("port", int))
    command(upload, ("address", str), ("port", int), ("connections", int), ("size", int))
    command(odd, ("iface", str), ("mac", str), ("vip4", str), ("vip6", str), ("kind", str), ("count", int))
    options = parser.parse_args()
    options.run(options)


main()
