#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A name server that knows nothing.

usage: _name_server.py PORT FILE   answer each question with the rcode (0 to 15) that FILE has
"""
import socket
import sys

port, file = int(sys.argv[1]), sys.argv[2]
service = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
service.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
service.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
service.bind(("::", port))
while True:
    question, control, _, client = service.recvmsg(512, 256)
    if len(question) < 12:
        continue
    with open(file) as rcode:
        answer = question[:2] + bytes([question[2] | 0x80, int(rcode.read())]) + question[4:]
    # From the address it was asked at.
    info = [(level, kind, value[:16] + bytes(4)) for level, kind, value in control]
    service.sendmsg([answer], info, 0, client)
