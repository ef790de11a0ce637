#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients of a web server that notice when something fails: so many short requests a second, each on a connection of
its own, and so many downloads at a time, each begun anew when it has ended.

    _clients.py ADDR RATE DOWNLOADS BYTES_PER_SECOND

until SIGTERM; then downloads under way are let come to their end, and one JSON object tells what became of all."""

import asyncio
import collections
import json
import signal
import sys
import time

ADDRESS, RATE, DOWNLOADS, PACE = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
LIMIT_S = 5
SIZE = 8 << 20

counts = collections.Counter()
errors = collections.Counter()
connects = []
stopped = asyncio.Event()


async def get(path, size, limit_s):
    """One request; True if its whole answer came. An answer that ended early was cut."""
    begun = time.monotonic()
    reader, writer = await asyncio.wait_for(asyncio.open_connection(ADDRESS, 80), LIMIT_S)
    connects.append(time.monotonic() - begun)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError(head.split(b"\r\n")[0].decode())
        body = 0
        while True:
            part = await asyncio.wait_for(reader.read(1 << 16), limit_s)
            if not part:
                break
            body += len(part)
        if size and body != size:
            raise EOFError(f"{body} of {size} bytes")
    finally:
        writer.close()


async def attempt(kind, *args):
    counts[kind] += 1
    try:
        await get(*args)
    except Exception as error:  # pylint: disable=broad-except
        counts[kind + "_failed"] += 1
        errors[f"{kind}: {type(error).__name__} {error}"[:120]] += 1


async def download_again():
    while not stopped.is_set():
        await attempt("downloads", f"/download?rate={PACE}", SIZE, 10)


async def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    tasks = [asyncio.create_task(download_again()) for _ in range(DOWNLOADS)]
    print("begun", flush=True)
    begun, sent = time.monotonic(), 0
    while not stopped.is_set():
        sent += 1
        tasks.append(asyncio.create_task(attempt("requests", "/", 0, LIMIT_S)))
        tasks = [task for task in tasks if not task.done()]
        await asyncio.sleep(max(0, begun + sent / RATE - time.monotonic()))
    seconds = time.monotonic() - begun
    await asyncio.gather(*tasks)
    connects.sort()
    print(json.dumps({
        "requests": counts["requests"], "requests_failed": counts["requests_failed"],
        "downloads": counts["downloads"], "downloads_failed": counts["downloads_failed"],
        "requests_a_second": round(counts["requests"] / seconds, 1), "seconds": round(seconds, 1),
        "connect_p99_ms": round(1000 * connects[len(connects) * 99 // 100], 1) if connects else None,
        "errors": errors}), flush=True)


asyncio.run(main())
