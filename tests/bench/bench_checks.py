#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What health checks cost shuntd, and how late they are: run by scripts/bench --only checks.

usage: bench_checks.py BUILD [--quick]; prints a line "name unit value" for each window of each figure.

  shunt-bench-checks   shuntd, on the XDP path, on in0 (10.9.255.254/16)
         |
  shunt-bench-servers  out0: every address of 10.9.0.0/16 and 192.0.2.0/24 is here, and nginx on port 80

Both ends of the cable have a thread of the kernel's that takes packets in, as a NIC's interrupt would be another's:
else what the servers do with a packet would count as shuntd's work, that has sent it. shuntd has the first CPU, all
else the last.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LB, SERVERS = "shunt-bench-checks", "shunt-bench-servers"
NEIGHBOURS = "/proc/sys/net/ipv4/neigh/default/gc_thresh"
TICKS = os.sysconf("SC_CLK_TCK")
SHUNTD_CPU, OTHER_CPU = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))


def run(command, **options):
    subprocess.run(command.split(), check=True, **options)


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"bench_checks: waited {seconds} s in vain for {what}")
        time.sleep(0.1)


class Network:
    """The two hosts, nginx, and room for as many neighbours as there are backends."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="shunt-bench-checks-")
        self.thresholds = [int(open(NEIGHBOURS + str(i)).read()) for i in (1, 2, 3)]
        self.set_thresholds([40000, 50000, 60000])
        self.remove()
        for host in (LB, SERVERS):
            run(f"ip netns add {host}")
            run(f"ip -n {host} link set lo up")
            run(f"ip netns exec {host} sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
                "net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 "
                "net.ipv4.tcp_max_syn_backlog=65535 net.core.somaxconn=65535")
        run(f"ip -n {LB} link add in0 type veth peer name out0 netns {SERVERS}")
        for host, device in ((LB, "in0"), (SERVERS, "out0")):
            run(f"ip netns exec {host} ethtool -K {device} gro on tx off", stdout=subprocess.DEVNULL)
            run(f"ip -n {host} link set {device} up")
            subprocess.run(["ip", "netns", "exec", host, "sh", "-c", f"echo 1 >/sys/class/net/{device}/threaded"],
                           check=True)
        for line in subprocess.run(["ps", "-eo", "pid,comm"], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout.splitlines():
            pid, name = line.split(maxsplit=1)
            if name.startswith(("napi/in0", "napi/out0")):
                os.sched_setaffinity(int(pid), {OTHER_CPU})
        run(f"ip -n {LB} addr add 10.9.255.254/16 dev in0")
        run(f"ip -n {SERVERS} addr add 10.9.255.253/16 dev out0")
        run(f"ip -n {SERVERS} route add local 10.9.0.0/17 dev lo")
        run(f"ip -n {SERVERS} route add local 192.0.2.0/24 dev lo")
        with open(f"{self.folder}/nginx.conf", "w") as f:
            f.write(f"""daemon off; pid {self.folder}/nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 8192; }}
http {{ access_log off; server {{ listen 80 backlog=65535; return 200 "well\\n"; }} }}
""")
        self.nginx = subprocess.Popen(
            ["ip", "netns", "exec", SERVERS, "taskset", "-c", str(OTHER_CPU), "nginx", "-e", "stderr", "-c",
             f"{self.folder}/nginx.conf"])
        return self

    def __exit__(self, *error):
        self.nginx.terminate()
        self.nginx.wait()
        self.remove()
        self.set_thresholds(self.thresholds)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def remove():
        for host in (LB, SERVERS):
            subprocess.run(["ip", "netns", "del", host], stderr=subprocess.DEVNULL, check=False)

    @staticmethod
    def set_thresholds(values):
        for i, value in zip((1, 2, 3), values):
            with open(NEIGHBOURS + str(i), "w") as f:
                f.write(str(value))


class Shuntd:
    """shuntd with backends that are checked in one way, all of them up."""

    def __init__(self, network, build, backends, check):
        self.folder = tempfile.mkdtemp(dir=network.folder)
        self.socket = f"{self.folder}/shuntd.sock"
        self.log = open(f"{self.folder}/log", "w+")
        os.mkdir(f"{self.folder}/bpf")
        run(f"mount -t bpf bpf {self.folder}/bpf")
        servers = ", ".join(f'{{ address = "10.9.{i // 250}.{i % 250 + 1}"; }}' for i in range(backends))
        with open(f"{self.folder}/shunt.conf", "w") as f:
            f.write(f"""
path = "xdp"; interface = "in0"; xdp: {{ mode = "native"; pin = "{self.folder}/bpf"; }};
control: {{ socket = "{self.socket}"; group = "root"; http = ""; state = "{self.folder}/state"; }};
pools = ( {{ name = "p"; check: {{ {check} }}; backends = ( {servers} ); }} );
vips = ( {{ address = "192.0.2.80"; protocol = "tcp"; port = 80; pool = "p"; }} );
""")
        self.child = subprocess.Popen(
            ["ip", "netns", "exec", LB, "taskset", "-c", str(SHUNTD_CPU), f"{build}/control/daemon/shuntd", "-c",
             f"{self.folder}/shunt.conf"], stderr=self.log)
        try:
            wait_for("shuntd", self.is_there)
            wait_for("the first checks", lambda: "none" in check or self.call("status")["checks"]["made"] >= backends)
            wait_for("the backends to be up", self.all_up)
        except SystemExit:
            self.stop()
            raise

    def call(self, method):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            s.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}) + "\n").encode())
            return json.loads(s.makefile().readline())["result"]

    def is_there(self):
        if self.child.poll() is not None:
            self.log.seek(0)
            sys.exit(f"bench_checks: shuntd ended with status {self.child.returncode}:\n{self.log.read()}")
        return os.path.exists(self.socket)

    def all_up(self):
        time.sleep(1)
        return all(b["state"] == "up" for b in self.call("show")["pools"][0]["backends"])

    def cpu_ticks(self):
        with open(f"/proc/{self.child.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def measure(self, name, windows, seconds):
        time.sleep(seconds)
        for _ in range(windows):
            checks, ticks, start = self.call("status")["checks"], self.cpu_ticks(), time.monotonic()
            time.sleep(seconds)
            ticks, took = self.cpu_ticks() - ticks, time.monotonic() - start
            after = self.call("status")["checks"]
            print(f"checks_{name}_cpu % {100 * ticks / TICKS / took:.2f}")
            print(f"checks_{name}_a_second n {(after['made'] - checks['made']) / took:.1f}")
            if after["made"] > checks["made"]:
                print(f"checks_{name}_late_p99 ms {late(checks['lateness'], after['lateness'], 0.99):.2f}")
            if after["failed"] > checks["failed"]:
                print(f"bench_checks: {name}: {after['failed'] - checks['failed']} failed", file=sys.stderr)
        sys.stdout.flush()

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
        subprocess.run(["ip", "netns", "exec", LB, f"{sys.argv[1]}/control/daemon/shuntd", "-c",
                        f"{self.folder}/shunt.conf", "--detach"], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["umount", f"{self.folder}/bpf"], check=False)


def late(before, after, share):
    """What this share of the checks between the two was not later than."""
    counts = dict(map(tuple, after))
    for ms, n in before:
        counts[ms] -= n
    passed, total = 0, sum(counts.values())
    for ms in sorted(counts):
        passed += counts[ms]
        if passed >= share * total:
            return ms
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench_checks: stopped"))
    windows, seconds = (2, 5) if args.quick else (7, 10)
    kinds = {
        "none": (1000, 'type = "none";'),
        "http_1000": (1000, 'type = "http"; via = "backend"; interval = "1s"; path = "/";'),
        "http_1000_via_vip": (1000, 'type = "http"; via = "vip"; interval = "1s"; path = "/";'),
        "tcp_10000": (10000, 'type = "tcp"; via = "backend"; interval = "5s"; timeout = "1s";'),
        "tcp_10000_via_vip": (10000, 'type = "tcp"; via = "vip"; interval = "5s"; timeout = "1s";'),
    }
    with Network() as network:
        for name, (backends, check) in kinds.items():
            if args.only and args.only != name:
                continue
            print(f"bench: checks, {name}", file=sys.stderr)
            shuntd = Shuntd(network, args.build, backends, check)
            try:
                shuntd.measure(name, windows, seconds)
            finally:
                shuntd.stop()


main()
