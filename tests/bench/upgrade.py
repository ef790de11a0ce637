# SPDX-License-Identifier: BSD-3-Clause
"""What clients notice of the upgrade of a whole pool, in the hosts of scripts/lab: scripts/rolling-upgrade restarts
three nginx, one after the other, while 200 clients a second connect and twenty downloads of sixty seconds go on.

run(root, build, quick, add, say): add(figure name, unit, samples)
"""
import json
import os
import re
import subprocess
import time

from lab import Lab

PER_SECOND = 200
DOWNLOADS = 20
SIZE = 8 << 20
DOWNLOAD_S = 60
VIP = "192.0.2.80"
# What a client has closed counts as a connection until nothing was heard of it for so long: with the default, two
# minutes, it would take most of the time.
FIN = "8s"


class Hosts(Lab):
    """With a command that upgrades a server."""

    def __init__(self, root, build, path):
        super().__init__("upgrade", root, build, path)
        self.command = f"{self.run}/upgrade-server"

    def configure(self):
        self.edit(lambda text: re.sub(
            r"(?m)^flow_table: .*$",
            f'flow_table: {{ capacity = 1000000; timeouts: {{ fin = "{FIN}"; }}; }};', text))
        # The upgrade of a server, given by its address: its nginx ends and another begins.
        with open(self.command, "w", encoding="utf-8") as file:
            file.write(f"""#!/usr/bin/env bash
. "{self.root}/scripts/lib.sh"
host=rs${{1##*.1}}
spawned_end "{self.run}/pid/$host-nginx" QUIT
spawn "{self.run}/pid/$host-nginx" "{self.run}/log/$host-nginx.log" ip netns exec "shunt-{self.name}-$host" \\
	nginx -c "{self.run}/$host/nginx.conf" -p "{self.run}/$host" -e stderr
""")
        os.chmod(self.command, 0o755)

    def clients(self, download_s):
        return subprocess.Popen(
            ["ip", "netns", "exec", f"shunt-{self.name}-client", f"{self.root}/tests/integration/_clients.py", VIP,
             str(PER_SECOND), str(DOWNLOADS), str(SIZE // download_s)], stdout=subprocess.PIPE, text=True)

    def upgrade(self):
        """Seconds that it took."""
        begun = time.monotonic()
        subprocess.run(
            [f"{self.root}/scripts/rolling-upgrade", "--socket", f"{self.run}/shuntd.sock", "--journal",
             f"{self.run}/journal", "--pool", "web", "--", self.command], env=self.environment,
            stdout=subprocess.DEVNULL, check=True)
        return time.monotonic() - begun


def run(root, build, quick, add, say):
    turns, download_s = 1, 10 if quick else DOWNLOAD_S
    for path in ("dpdk", "xdp"):
        results, took = [], []
        with Hosts(root, build, path) as lab:
            for turn in range(turns):
                say(f"bench: upgrade, {path}, turn {turn + 1} of {turns}")
                clients = lab.clients(download_s)
                clients.stdout.readline()
                time.sleep(2)
                took.append(lab.upgrade())
                clients.terminate()
                results.append(json.loads(clients.communicate()[0].splitlines()[-1]))
                say(f"bench: upgrade, {path}: {results[-1]}")
        for what, unit in (("requests", "conns"), ("requests_failed", "conns"), ("downloads", "conns"),
                           ("downloads_failed", "conns"), ("connect_p99_ms", "ms")):
            name = what.replace("downloads_failed", "downloads_cut").replace("_ms", "")
            add(f"upgrade_{path}_{name}", unit, [result[what] for result in results])
        add(f"upgrade_{path}_took", "s", took)
