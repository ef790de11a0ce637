#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One TCP SYN, straight onto an interface: as a client's network would repeat it.

usage: _syn.py IFACE MAC SOURCE SPORT VIP PORT
"""
import socket
import sys

from _generate import ether, ipv4, tcp

iface, mac, source, sport, vip, port = sys.argv[1:]
segment = tcp(int(sport), int(port), 0x02)
frame = ether(mac, 0x0800) + ipv4(socket.inet_aton(source), socket.inet_aton(vip), 6, segment)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind((iface, 0))
    wire.send(frame)
