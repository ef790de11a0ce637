#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients of shuntd's socket that misbehave.

usage: _rpc_abuse.py SOCKET KIND

Exit status 0: shuntd did with it what it should (an error, or the end of the connection).
"""
import json
import resource
import select
import socket
import sys
import time

path, kind = sys.argv[1:]
GOOD = b'{"jsonrpc":"2.0","id":7,"method":"status","params":{}}\n'


class Client:
    def __init__(self, timeout=30.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, data):
        """False: the other end has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def line(self):
        """One answer, or None at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, data):
        assert self.send(data), "closed before it was asked"
        return self.line()


def error_code(answer):
    return answer["error"]["code"] if answer and "error" in answer else None


def expect(what, actual, wanted):
    assert actual in wanted, f"{what}: {actual}, not one of {wanted}"


def request(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def still_good(client):
    answer = client.ask(GOOD)
    assert answer and "result" in answer and answer["id"] == 7, f"after that: {answer}"


def not_json():
    for text in (b"hello\n", b"{\n", b"GET / HTTP/1.0\r\n", b'"unended\n', b"{]}\n", b"\0\0\0\n", b"\xff\xfe\n"):
        client = Client()
        expect(text, error_code(client.ask(text)), [-32700, -32600])
        still_good(client)
    client = Client()
    client.send(b"\n")  # an empty line may be passed over
    still_good(client)


def half_line():
    waiting = [Client() for _ in range(20)]
    for client in waiting:
        client.send(GOOD[:20])
    time.sleep(0.3)
    for client in waiting[:10]:
        client.send(GOOD[20:])
        assert "result" in client.line()
    for client in waiting[10:]:
        client.socket.close()
    client = Client()
    client.send(GOOD[:-1])
    client.socket.shutdown(socket.SHUT_WR)
    client.line()


def long_line():
    for text in (b"x" * 10_000_000, b'{"jsonrpc":"2.0","id":1,"method":"' + b"a" * 10_000_000 + b'"}'):
        client = Client()
        went = client.send(text + b"\n")
        answer = client.line()
        assert answer is None or error_code(answer) is not None, f"a line of 10 MB: {answer}"
        assert went or answer is None or error_code(answer)


def unknown_method():
    client = Client()
    for method in ("nosuch", "vip", "vip.", ".", "", "show.all", "a" * 1000, "\u00e9\u4e2d"):
        expect(method, error_code(client.ask(request(method, {}))), [-32601])
    still_good(client)


def wrong_params():
    client = Client()
    wrong = [("vip.add", {}), ("vip.add", {"vip": 3, "pool": "web"}), ("vip.add", {"vip": "nonsense", "pool": "web"}),
             ("vip.add", {"vip": "192.0.2.99:80/tcp", "pool": "web", "more": 1}), ("vip.del", []),
             ("backend.set", {"pool": "web", "address": "10.0.0.11"}),
             ("backend.set", {"pool": "web", "address": "10.0.0.11", "weight": "3"}),
             ("backend.set", {"pool": "web", "address": "10.0.0.11", "weight": 65536}),
             ("backend.set", {"pool": "web", "address": "10.0.0.11", "weight": -1}),
             ("backend.set", {"pool": "web", "address": "10.0.0.11", "weight": 1e300}),
             ("backend.set", {"pool": "web", "address": "10.0.0.11", "weight": 1.5}),
             ("backend.set", {"pool": "w" * 100_000, "address": "10.0.0.11", "weight": 1}),
             ("backend.add", {"pool": "web", "address": "10.0.0.19", "mac": "zz"}),
             ("pool.add", {"pool": "a b"}), ("pool.add", {"pool": ""}), ("pool.add", {"pool": "x", "check": 7}),
             ("pool.add", {"pool": "x", "check": {"type": "htpt"}}), ("show", {"what": "nonsense"}),
             ("show", {"stats": "yes"}), ("flows", {"limit": -1}), ("flows", {"limit": 1 << 62}),
             ("explain", {"source": "x", "vip": "y"}), ("reload", {"dry_run": 1}), ("check", {}),
             ("check", {"file": "/dev/zero"}), ("check", {"file": "/proc/self/mem"}), ("drain", {"address": None})]
    for method, params in wrong:
        answer = client.ask(request(method, params))
        assert answer is not None, f"{method} {str(params)[:80]}: closed"
        expect(f"{method} {str(params)[:80]}", error_code(answer), [-32602, 1])
    still_good(client)


def wrong_shapes():
    client = Client()
    shapes = [b"[]", b"7", b"null", b'"status"', b'{"jsonrpc":"1.0","id":1,"method":"status"}', b'{"id":1,"method":"status"}',
              b'{"jsonrpc":"2.0","id":1}', b'{"jsonrpc":"2.0","id":1,"method":7}',
              b'{"jsonrpc":"2.0","id":{},"method":"status"}', b'{"jsonrpc":"2.0","id":1,"method":"status","params":7}']
    for shape in shapes:
        expect(shape, error_code(client.ask(shape + b"\n")), [-32600, -32602])
    # A notification has no answer: the next one is that of the next request.
    client.send(b'{"jsonrpc":"2.0","method":"status"}\n')
    still_good(client)


def batch():
    client = Client()
    answer = client.ask(b"[" + GOOD.strip() + b"," + GOOD.strip() + b"]\n")
    assert isinstance(answer, list) or error_code(answer) == -32600, str(answer)[:200]
    still_good(client)


def deep():
    client = Client()
    for text in (b"[" * 400_000, b'{"a":' * 100_000, b"[" * 200_000 + b"]" * 200_000):
        expect("nesting", error_code(client.ask(text + b"\n")), [-32700, -32600])
    still_good(client)


def binary():
    import random
    dice = random.Random(1)
    for _ in range(200):
        client = Client()
        client.send(dice.randbytes(dice.randint(1, 5000)) + b"\n")
        client.socket.settimeout(10)
        try:
            client.line()
        except (socket.timeout, UnicodeDecodeError, json.JSONDecodeError):
            raise SystemExit("a line of random bytes is not answered")


def no_reader():
    # Ask and ask, read nothing: sooner or later shuntd stops reading too, or closes. Neither is for others to feel.
    stuck = [Client(timeout=0.5) for _ in range(5)]
    for client in stuck:
        try:
            for _ in range(20_000):
                if not client.send(request("show", {"stats": True}) * 10):
                    break
        except socket.timeout:
            pass
    time.sleep(1)
    for client in stuck:
        client.socket.close()


def many_requests():
    client = Client(timeout=60)
    client.send(GOOD * 2000)
    for _ in range(2000):
        assert "result" in client.line()


def many_clients():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    clients, refused = [], 0
    for _ in range(1000):
        try:
            clients.append(Client(timeout=30))
        except OSError:
            refused += 1
    answered = closed = 0
    for client in clients:
        client.send(GOOD)
    for client in clients:
        answer = client.line()
        answered += answer is not None and "result" in answer
        closed += answer is None or "error" in answer
    print(f"{answered} answered, {closed} closed, {refused} refused")
    assert answered + closed + refused == 1000 and answered > 0


def slow_clients():
    # One byte at a time, from fifty at once.
    clients = [Client() for _ in range(50)]
    for place in range(len(GOOD)):
        for client in clients:
            client.send(GOOD[place:place + 1])
    for client in clients:
        assert "result" in client.line()


def waiting_clients():
    # More than may wait for events; they leave without a word, and as many others may wait in their place.
    wait = request("events", {"wait": True})
    for _ in range(3):
        clients = [Client() for _ in range(400)]
        for client in clients:
            client.send(wait)
        refused = []
        for _ in range(100):
            refused = select.select([client.socket for client in clients], [], [], 1)[0]
            if len(refused) == 400 - 256:
                break
            time.sleep(0.05)
        assert len(refused) == 400 - 256, f"{len(refused)} were refused"
        for client in clients:
            client.socket.close()
    waiting, other = Client(), Client()
    last = other.ask(request("events", {"limit": 0}))["result"]["next"]
    waiting.send(request("events", {"wait": True, "after": last}))
    for method in ("disable", "enable"):
        assert "result" in other.ask(request(method, {"address": "10.0.0.13", "pool": "dns"}))
    assert waiting.line()["result"]["events"][0]["kind"] == "disabled"


{"not-json": not_json, "half-line": half_line, "long-line": long_line, "unknown-method": unknown_method,
 "wrong-params": wrong_params, "wrong-shapes": wrong_shapes, "batch": batch, "deep": deep, "binary": binary,
 "no-reader": no_reader, "many-requests": many_requests, "many-clients": many_clients,
 "slow-clients": slow_clients, "waiting-clients": waiting_clients}[kind]()
