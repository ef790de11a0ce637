#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which backend shuntd says each flow of "_generate.py flows" has: lines "SOURCE:PORT BACKEND", of flows only.

usage: _flows.py SOCKET VIP:PORT/PROTO COUNT
"""

import json
import socket
import struct
import sys


def main():
    path, vip, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        answers = s.makefile()
        for number in range(count):
            source = socket.inet_ntoa(struct.pack("!I", 0xC6120000 + number // 7 % 0x1FFFF))
            source += f":{1024 + number % 50000}"
            s.sendall((json.dumps({"jsonrpc": "2.0", "id": number, "method": "explain",
                                   "params": {"source": source, "vip": vip}}) + "\n").encode())
            answer = json.loads(answers.readline())["result"]
            if answer["reason"] == "flow":
                print(source, answer["backend"])


main()
