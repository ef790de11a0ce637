# SPDX-License-Identifier: BSD-3-Clause
"""The hosts of scripts/lab, for a bench: up with shunt on one path while it is entered."""
import json
import os
import subprocess
import time


class Lab:
    """What a bench has to set up between "lab up" and "lab start" is its configure()."""

    def __init__(self, name, root, build, path):
        self.name = name
        self.run = f"/run/shunt-lab-{name}"
        self.root = root
        self.build = build
        self.environment = dict(os.environ, SHUNT_LAB=name, SHUNT_PATH=path, SHUNT_BUILD=build)

    def configure(self):
        """Called when the hosts are up, before shunt is started."""

    def __enter__(self):
        self.lab("up")
        self.configure()
        self.lab("start")
        self.wait_until_all_are_up()
        return self

    def __exit__(self, *error):
        self.lab("stop")
        self.lab("down")

    def lab(self, *args):
        subprocess.run([f"{self.root}/scripts/lab", *args], env=self.environment, stdout=subprocess.DEVNULL, check=True)

    def host(self, name, *command, **options):
        return subprocess.Popen(["ip", "netns", "exec", f"shunt-{self.name}-{name}", *command], text=True, **options)

    def edit(self, change):
        """Replace the text of shunt.conf by what change makes of it."""
        with open(f"{self.run}/shunt.conf", encoding="utf-8") as file:
            text = change(file.read())
        with open(f"{self.run}/shunt.conf", "w", encoding="utf-8") as file:
            file.write(text)

    def states(self):
        show = subprocess.run(
            [f"{self.build}/control/cli/shuntctl", "--socket", f"{self.run}/shuntd.sock", "--json", "show"],
            stdout=subprocess.PIPE, check=True).stdout
        return [b["state"] for p in json.loads(show)["pools"] for b in p["backends"]]

    def wait_until_all_are_up(self):
        end = time.monotonic() + 30
        while set(self.states()) != {"up"}:
            assert time.monotonic() < end, "not all backends are up"
            time.sleep(0.05)
