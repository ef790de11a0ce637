# SPDX-License-Identifier: BSD-3-Clause
"""A shuntd for tests of shuntctl: speaks JSON-RPC over a Unix socket and gives recorded answers, or whatever a
test wants it to do to a connection. Keeps the requests it got."""

import json
import pathlib
import socket
import threading

ANSWERS = json.loads((pathlib.Path(__file__).parent / "answers.json").read_text())


class FakeShuntd:
    """Listens from its making until close(). `misbehave`, where set, is called with the connection and the request
    instead of an answer being sent; `errors` and `results` go before the recorded answers, by method."""

    def __init__(self, path):
        self.path = str(path)
        self.requests = []
        self.misbehave = None
        self.errors = {}
        self.results = {}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def answer(self, request):
        """The answer as shuntd would send it, with its line feed."""
        message = {"jsonrpc": "2.0", "id": request.get("id")}
        method = request.get("method")
        if method in self.errors:
            message["error"] = self.errors[method]
        elif method in self.results:
            result = self.results[method]
            message["result"] = result.pop(0) if isinstance(result, list) else result
        elif method == "counters" and not request["params"].get("help"):
            message["result"] = {name: c["value"] for name, c in ANSWERS["counters"].items()}
        elif method in ANSWERS:
            message["result"] = ANSWERS[method]
        else:
            message["error"] = {"code": -32601, "message": "no such method"}
        return json.dumps(message).encode() + b"\n"

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._converse(connection)
                except (BrokenPipeError, ConnectionResetError):
                    pass

    def _converse(self, connection):
        with connection.makefile("rb") as lines:
            line = lines.readline()
            if not line:
                return
            request = json.loads(line)
            self.requests.append(request)
            if self.misbehave:
                self.misbehave(connection, request)
                return
            connection.sendall(self.answer(request))
            lines.read()  # until shuntctl hangs up: the answer is not to be lost in a reset
