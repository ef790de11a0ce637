#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Listen on PORT of many addresses and stop listening on some of them at random, each about once a second.

usage: _flap.py PORT FIRST FLAPPING STEADY; FIRST: an IPv4 address, the others follow it. Runs until it is ended.
"""

import ipaddress
import random
import select
import socket
import sys
import time


def listen(address, port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setblocking(False)
    s.bind((address, port))
    s.listen(64)
    return s


def main():
    port, first, flapping, steady = int(sys.argv[1]), ipaddress.ip_address(sys.argv[2]), *map(int, sys.argv[3:5])
    addresses = [str(first + i) for i in range(flapping + steady)]
    sockets = [listen(a, port) for a in addresses]
    poll = select.epoll()
    for s in sockets:
        poll.register(s.fileno(), select.EPOLLIN)
    by_fd = {s.fileno(): s for s in sockets}
    numbers = random.Random(1)
    due = time.monotonic()
    while True:
        for fd, _ in poll.poll(0.01):
            try:
                while True:
                    by_fd[fd].accept()[0].close()
            except (BlockingIOError, OSError):
                pass
        while time.monotonic() > due:
            due += 1 / flapping
            i = numbers.randrange(flapping)
            if sockets[i]:
                del by_fd[sockets[i].fileno()]
                sockets[i].close()
                sockets[i] = None
            else:
                sockets[i] = listen(addresses[i], port)
                by_fd[sockets[i].fileno()] = sockets[i]
                poll.register(sockets[i].fileno(), select.EPOLLIN)


main()
