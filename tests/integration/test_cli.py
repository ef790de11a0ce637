#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""shuntctl alone, against a fake shuntd (cli/fake_shuntd.py) with recorded answers: what each command asks and
prints, exit statuses, usage errors and their suggestions, --json, terminals and colours, save's file handling,
completion, and a daemon that hangs, hangs up, stutters, or answers what is no answer.

    shuntctl ---- Unix socket ---- fake shuntd (a thread of this script)

Needs SHUNT_BUILD, the build folder; no root, no namespaces. Prints "ok - NAME" or "not ok - NAME" for each check;
exit status 0 if all are ok."""

import json
import os
import pathlib
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "cli"))
from fake_shuntd import ANSWERS, FakeShuntd  # noqa: E402

ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("SHUNT_BUILD") or ROOT / "build")
SHUNTCTL = str(BUILD / "control/cli/shuntctl")
failures = 0


def check(name, good, seen=""):
    global failures
    print(("ok - " if good else "not ok - ") + name, flush=True)
    if not good:
        failures += 1
        print(textwrap.indent(str(seen), "    # "), flush=True)


def same(name, seen, wanted):
    check(name, seen == wanted, f"seen:\n{seen}\nwanted:\n{wanted}")


class Ran:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return f"exit status {self.status}\n{self.out}{self.err}"


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("SHUNT_SOCKET", "NO_COLOR")}
    return {**env, "LC_ALL": "C.UTF-8", **more}


def shuntctl(*args, socket=None, cwd=None, env=None, stdout=subprocess.PIPE):
    where = ["--socket", str(socket)] if socket else []
    p = subprocess.run([SHUNTCTL, *where, *args], stdout=stdout, stderr=subprocess.PIPE, timeout=60, cwd=cwd,
                       env=env or environment(), stdin=subprocess.DEVNULL)
    return Ran(p.returncode, (p.stdout or b"").decode(), p.stderr.decode())


def on_terminal(*args, **env):
    """Run with a pseudo-terminal as standard output; returns what it showed."""
    here, there = pty.openpty()
    p = subprocess.Popen([SHUNTCTL, *args], stdout=there, stderr=there, stdin=subprocess.DEVNULL,
                         env=environment(**{"TERM": "xterm", **env}))
    os.close(there)
    shown = b""
    try:
        while data := os.read(here, 65536):
            shown += data
    except OSError:  # the other side is closed
        pass
    os.close(here)
    p.wait()
    return shown.decode()


def test_usage(daemon):
    r = shuntctl()
    check("no command: usage on standard error, status 2", r.status == 2 and "usage:" in r.err and not r.out, r)
    for words in (["help"], ["--help"], ["-h"]):
        r = shuntctl(*words)
        check(f"{words[0]}: the list of commands, status 0",
              r.status == 0 and "backend set POOL ADDR" in r.out and not r.err, r)
    r = shuntctl("--version")
    check("--version", r.status == 0 and re.fullmatch(r"shuntctl \d+\.\d+\.\d+\n", r.out), r)
    wanted = shuntctl("help", "backend", "set")
    check("help COMMAND: its usage and options", wanted.status == 0 and
          wanted.out.startswith("usage: shuntctl backend set POOL ADDR --weight N\n"), wanted)
    for words in (["backend", "set", "--help"], ["--help", "backend", "set"], ["backend", "set", "web", "--help"]):
        r = shuntctl(*words)
        if words[0] == "--help":
            check("--help first: the list of commands", r.status == 0 and "Commands" in r.out, r)
        else:
            same(f"{' '.join(words)}: the same", str(r), str(wanted))
    r = shuntctl("help", "pool")
    check("help of a group: all of it", r.status == 0 and "pool add NAME" in r.out and "pool del POOL" in r.out, r)
    r = shuntctl("help", "shwo")
    check("help of an unknown command: status 2", r.status == 2 and "did you mean 'show'?" in r.err, r)

    wrong = [
        (["shwo"], "unknown command 'shwo': did you mean 'show'?"),
        (["stat"], "unknown command 'stat': did you mean 'status'?"),
        (["vip", "ad"], "unknown command 'vip ad': did you mean 'vip add'?"),
        (["vip"], "'vip' needs another word: add, set or del"),
        (["backend"], "'backend' needs another word: add, del or set"),
        (["backend", "frobnicate"], "unknown command 'backend frobnicate': after 'backend' comes add, del or set"),
        (["xyzzy"], "unknown command 'xyzzy': 'shuntctl help' lists those there are"),
        (["show", "vip"], "show: 'vip' is none of vips|pools|backends: did you mean 'vips'?"),
        (["show", "--stat"], "show: unknown option '--stat': did you mean '--stats'?"),
        (["backend", "set", "web", "10.0.0.1", "--wieght", "5"], "unknown option '--wieght': did you mean '--weight'?"),
        (["backend", "set", "web", "10.0.0.1"], "backend set: --weight N is missing"),
        (["backend", "set", "web", "10.0.0.1", "--weight"], "--weight needs a value: a number"),
        (["backend", "set", "web", "10.0.0.1", "--weight", "-5"], "'-5' is not a number"),
        (["backend", "set", "web", "10.0.0.1", "--weight", "1e3"], "'1e3' is not a number"),
        (["backend", "set", "web", "10.0.0.1", "--weight="], "'' is not a number"),
        (["backend", "set", "web", "10.0.0.1", "--weight", "1", "--weight", "2"], "--weight is given twice"),
        (["backend", "add", "web", "10.0.0.256"], "'10.0.0.256' is not an address"),
        (["backend", "add", "web", "10.0.0.1", "--mac", "02:00:00:00:00"], "is not a MAC address"),
        (["backend", "add", "web"], "backend add: ADDR is missing"),
        (["backend", "add", "", "10.0.0.1"], "'' is not a pool's name"),
        (["vip", "add", "192.0.2.80:80/tcp"], "vip add: --pool NAME is missing"),
        (["vip", "add", "192.0.2.80:80", "--pool", "web"], "'192.0.2.80:80' is not a VIP: ADDR:PORT/PROTO"),
        (["vip", "del", "2001:db8::80:80/tcp"], "is not a VIP"),
        (["vip", "del", "[192.0.2.80]:80/tcp"], "is not a VIP"),
        (["vip", "del", "192.0.2.80:65536/tcp"], "is not a VIP"),
        (["vip", "del", "192.0.2.80:80/icmp"], "is not a VIP"),
        (["vip", "del", "]:80/tcp"], "is not a VIP"),
        (["vip", "del", ":80/tcp"], "is not a VIP"),
        (["vip", "del", "[:80/tcp"], "is not a VIP"),
        (["vip", "del", "1" * 5000 + ":80/tcp"], "is not a VIP"),
        (["pool", "add", "x", "--check", "htpp"],
         "--check: 'htpp' is none of tcp|http|https|udp|dns|ping|exec|none: did you mean 'http'?"),
        (["pool", "add", "x", "--passive", "yes"], "--passive: 'yes' is not on or off"),
        (["pool", "add", "x", "--interval", "1"], "'1' is not a time with its unit"),
        (["show", "--stats=1"], "--stats takes no value"),
        (["show", "vips", "pools"], "'pools' is one argument too many"),
        (["--pool", "web", "drain", "10.0.0.1"], "unknown option '--pool' before the command's words"),
        (["drain", "web01"], "'web01' is not an address"),
        (["flows", "--limit", "many"], "'many' is not a number"),
        (["explain", "198.51.100.2", "192.0.2.80:80/tcp"], "is not an address and port"),
        (["status", "--socket", "/" + "x" * 200], "longer than 107 characters"),
    ]
    for args, why in wrong:
        r = shuntctl(*args, socket=None if "--socket" in args else daemon.path)
        name = " ".join(a if len(a) < 40 else a[:20] + "..." for a in args)
        check(f"usage: {name}", r.status == 2 and why in r.err and r.err.startswith("shuntctl: ") and not r.out, r)
    for args in (["doctor"], ["top"], ["import", "ipvsadm", "x"]):
        r = shuntctl(*args, socket=daemon.path)
        check(f"not of this version: {' '.join(args)}", r.status == 2 and "unknown" in r.err, r)
    check("nothing of all that reached the daemon", daemon.requests == [], daemon.requests)


def test_requests(daemon):
    """What each command line asks the daemon."""
    folder = os.getcwd()
    asked = [
        ("status", "status", {}),
        ("show", "show", {}),
        ("show pools", "show", {"what": "pools"}),
        ("show --stats --rate vips", "show", {"what": "vips", "stats": True, "rate": True}),
        ("vip add 192.0.2.80:80/tcp --pool web", "vip.add", {"vip": "192.0.2.80:80/tcp", "pool": "web"}),
        ("vip add --pool=web [2001:db8::80]:0/udp", "vip.add", {"vip": "[2001:db8::80]:0/udp", "pool": "web"}),
        ("vip del 192.0.2.80:80/tcp", "vip.del", {"vip": "192.0.2.80:80/tcp"}),
        ("pool add web", "pool.add", {"pool": "web"}),
        ("pool add web --scheduler round-robin --check tcp --via backend --port 8080 --interval 2s --timeout 100ms "
         "--rise 3 --fall 4", "pool.add",
         {"pool": "web", "scheduler": "round-robin",
          "check": {"type": "tcp", "via": "backend", "port": 8080, "interval": "2s", "timeout": "100ms", "rise": 3,
                    "fall": 4}}),
        ("pool add web --check https --header A:b --header C:d --verify --fast-interval 50ms --jitter 0 --source 10.0.0.1",
         "pool.add", {"pool": "web", "check": {"type": "https", "headers": ["A:b", "C:d"], "verify": True,
                                               "fast_interval": "50ms", "jitter": 0, "source": "10.0.0.1"}}),
        ("pool add web --check exec --command /bin/x --command --quick --user daemon --dynamic-weight", "pool.add",
         {"pool": "web", "check": {"type": "exec", "command": ["/bin/x", "--quick"], "user": "daemon",
                                   "dynamic_weight": True}}),
        ("pool add web --panic 50 --fallback sorry --slow-start 30s --passive off", "pool.add",
         {"pool": "web", "panic": 50, "fallback": "sorry", "slow_start": "30s", "passive": False}),
        ("pool del web", "pool.del", {"pool": "web"}),
        ("backend add web 10.0.0.11", "backend.add", {"pool": "web", "address": "10.0.0.11"}),
        ("backend add web 2001:db8::11 --weight 7 --mac 02:00:00:AA:00:11", "backend.add",
         {"pool": "web", "address": "2001:db8::11", "weight": 7, "mac": "02:00:00:AA:00:11"}),
        ("backend del web 10.0.0.11", "backend.del", {"pool": "web", "address": "10.0.0.11"}),
        ("backend --weight 0 set web 10.0.0.11", None, None),
        ("backend set --weight 0 web 10.0.0.11", "backend.set", {"pool": "web", "address": "10.0.0.11", "weight": 0}),
        ("drain 10.0.0.11", "drain", {"address": "10.0.0.11"}),
        ("drain --pool web -- 10.0.0.11", "drain", {"address": "10.0.0.11", "pool": "web"}),
        ("drain 10.0.0.11 --force --deadline 30m", "drain",
         {"address": "10.0.0.11", "force": True, "deadline": "30m"}),
        ("show backends --pool web --backend 10.0.0.11", "show",
         {"what": "backends", "pool": "web", "backend": "10.0.0.11"}),
        ("disable 10.0.0.11 --pool web", "disable", {"address": "10.0.0.11", "pool": "web"}),
        ("enable 10.0.0.11", "enable", {"address": "10.0.0.11"}),
        ("counters", "counters", {"help": True}),
        ("--json counters", "counters", {}),
        ("counters --all", "counters", {"help": True}),
        ("flows", "flows", {}),
        ("flows --vip 192.0.2.80:80/tcp --backend 10.0.0.11 --limit 5", "flows",
         {"vip": "192.0.2.80:80/tcp", "backend": "10.0.0.11", "limit": 5}),
        ("explain 198.51.100.2:40000 192.0.2.80:80/tcp", "explain",
         {"source": "198.51.100.2:40000", "vip": "192.0.2.80:80/tcp"}),
        ("explain [2001:db8::2]:40000 [2001:db8::80]:53/udp", "explain",
         {"source": "[2001:db8::2]:40000", "vip": "[2001:db8::80]:53/udp"}),
        ("events", "events", {"limit": 100}),
        ("events --limit 5 --pool web --backend 10.0.0.11", "events",
         {"limit": 5, "pool": "web", "backend": "10.0.0.11"}),
        ("reload", "reload", {}),
        ("reload --dry-run", "reload", {"dry_run": True}),
        ("check some.conf", "check", {"file": f"{folder}/some.conf"}),
        ("check /etc/shunt/shunt.conf", "check", {"file": "/etc/shunt/shunt.conf"}),
        ("save -", "save", {}),
        ("detach", "detach", {}),
        ("detach eth0", "detach", {"interface": "eth0"}),
    ]
    for line, method, params in asked:
        daemon.requests.clear()
        r = shuntctl(*line.split(), socket=daemon.path)
        seen = [(q["method"], q["params"]) for q in daemon.requests]
        if method is None:
            check(f"asks nothing: {line}", r.status == 2 and not seen, f"{r}{seen}")
            continue
        check(f"asks: {line}", r.status == 0 and not r.err and seen == [(method, params)] and
              daemon.requests[0]["jsonrpc"] == "2.0", f"{r}{seen}")

    daemon.requests.clear()
    r = shuntctl("status", env=environment(SHUNT_SOCKET=daemon.path))
    check("SHUNT_SOCKET is the socket", r.status == 0 and len(daemon.requests) == 1, r)
    r = shuntctl("--socket", daemon.path, "status", env=environment(SHUNT_SOCKET="/nowhere"))
    check("--socket goes before SHUNT_SOCKET", r.status == 0, r)


def draining(state, left=None, cut=0, time_left=None, pool="web"):
    """An answer to what drain --wait asks."""
    drain = {"since_s": 1, "flows_left": left, "silent_s": None, "time_left_s": time_left, "cut": cut}
    return {"pools": [{"name": pool, "backends": [
        {"address": "10.0.0.11", "state": state, "drain": drain if state.startswith("drain") else None}]}]}


def test_drain(daemon):
    """drain --wait: what it says until it is over, and how it ends."""
    def wait(*answers, args=()):
        daemon.requests.clear()
        daemon.results["show"] = list(answers)
        return shuntctl("drain", "10.0.0.11", "--wait", *args, socket=daemon.path)

    r = wait(draining("draining"), draining("draining", 2, time_left=90), draining("drained", 0))
    check("drain --wait: until none is left", r.status == 0 and
          r.out.endswith("10.0.0.11 is drained: no flow is left.\n") and "counting its flows" in r.out, r)
    check("drain --wait: asks for this backend alone", daemon.requests[-1]["params"] ==
          {"what": "backends", "backend": "10.0.0.11"} and len(daemon.requests) == 4, daemon.requests)
    r = wait(draining("drained", 0, cut=3), args=["--pool", "web"])
    check("drain --wait: says what was cut", r.out == "10.0.0.11 is drained: 3 flows were cut at the deadline.\n", r)
    check("drain --wait: in its pool", daemon.requests[-1]["params"]["pool"] == "web", daemon.requests)
    r = wait(draining("draining", 1), draining("drained", 0, cut=1), args=["--json"])
    check("drain --wait --json: one object", r.status == 0 and
          json.loads(r.out) == {"address": "10.0.0.11", "state": "drained", "cut": 1}, r)
    r = wait(draining("draining", 1), draining("up"))
    check("drain --wait: ended by enable, status 4", r.status == 4 and "in pool \"web\" it is up" in r.err, r)
    r = wait({"pools": []})
    check("drain --wait: gone, status 4", r.status == 4 and "taken out of the set" in r.err, r)
    both = draining("drained", 0)
    both["pools"] += draining("draining", 5, pool="other")["pools"]
    r = wait(both, draining("drained", 0))
    check("drain --wait: in every pool", "10.0.0.11: 5 flows left\n" in r.out and r.status == 0, r)
    daemon.results["show"] = draining("draining", 1)
    process = subprocess.Popen([SHUNTCTL, "--socket", daemon.path, "drain", "10.0.0.11", "--wait"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    check("drain --wait: Ctrl-C, status 4, and how to go on", process.returncode == 4 and
          "'shuntctl enable 10.0.0.11' ends it" in err, err)
    del daemon.results["show"]


SHOW = """\
Prot Address:Port      Scheduler   Pool
  -> Backend           State       Weight MAC               Active Closing
tcp  192.0.2.80:80     maglev      web    2/5 up                43         has its bound of half-open flows: new ones go by hash
  -> 10.0.0.11         up          100    02:00:00:00:00:11     41       2
  -> 10.0.0.12         down        100    02:00:00:00:00:12      0       0 connection refused, for 3m 12s
  -> 10.0.0.13         draining    50     02:00:00:00:00:13      2       1 3 left, silent for 40s at most, cut in 25m 3s
  -> 10.0.0.14         up          0      02:00:00:00:00:14      0       0 weight 0: no new flows
  -> 10.0.0.15         disabled    100    02:00:00:00:00:15      0       0
tcp  192.0.2.80:443    maglev      web    2/5 up                 0
  -> 10.0.0.11         up          100    02:00:00:00:00:11     41       2
  -> 10.0.0.12         down        100    02:00:00:00:00:12      0       0 connection refused, for 3m 12s
  -> 10.0.0.13         draining    50     02:00:00:00:00:13      2       1 3 left, silent for 40s at most, cut in 25m 3s
  -> 10.0.0.14         up          0      02:00:00:00:00:14      0       0 weight 0: no new flows
  -> 10.0.0.15         disabled    100    02:00:00:00:00:15      0       0
udp  [2001:db8::80]:53 source-hash dns6   0/1 up                 0
  -> 2001:db8:a::11    down        100    -                      0       0 MAC address not known
-    (no VIP)          round-robin empty  0/0 up

Where VIPs share a pool, a backend's figures are of all of them together.
"""

BACKENDS = """\
Pool Backend        State    Weight MAC               Active Closing Packets Bytes NewFlows Note
dns6 2001:db8:a::11 down     100    -                      0       0       0     0        0 MAC address not known
web  10.0.0.11      up       100    02:00:00:00:00:11     41       2   1.23M 98.8G     4990
web  10.0.0.12      down     100    02:00:00:00:00:12      0       0     500  400k        9 connection refused, for 3m 12s
web  10.0.0.13      draining 50     02:00:00:00:00:13      2       1      67 32.1k        1 3 left, silent for 40s at most, cut in 25m 3s
web  10.0.0.14      up       0      02:00:00:00:00:14      0       0       0     0        0 weight 0: no new flows
web  10.0.0.15      disabled 100    02:00:00:00:00:15      0       0       0     0        0
"""

POOLS = """\
Pool  Scheduler   Backends Check
dns6  source-hash 0/1 up   none
empty round-robin 0/0 up   tcp via backend, each 1s
web   maglev      2/5 up   tcp via vip, each 1s, timeout 500ms, rise 2, fall 3
"""

VIPS = """\
Prot Address:Port      Pool Active Pkts/s Bytes/s Flows/s
tcp  192.0.2.80:80     web      43  12.3k    988k      12
tcp  192.0.2.80:443    web       0      0       0       0
udp  [2001:db8::80]:53 dns6      0      0       0       0
"""

VIPS_STATS = """\
Prot Address:Port      Pool Active Packets Bytes NewFlows HalfOpen Untracked Elsewhere Refused Limited
tcp  192.0.2.80:80     web      43   1.23M 98.8G     5000     250k     8.12M       640      17       3
tcp  192.0.2.80:443    web       0       0     0        0        0         0         0       0       0
udp  [2001:db8::80]:53 dns6      0       0     0        0        0         0         0       0       0
"""

STATUS = """\
shuntd     0.1.0, up 3d 5h, pid 811
path       dpdk, snapshot 42 (path is "dpdk")
dataplane  0.1.0, up 1h 1m, pid 812, snapshot 42 in force
set        3 VIPs, 2 pools, 1 backend
traffic    1.23M packets/s
flows      51200 active (12 of them half-open), 800 closing; room for 1000000 (5.2% used)
port       0000:65:00.0 (net_ixgbe), 02:00:00:00:00:02, MTU 1500, link up at 10 Gbit/s; lost: 3 missed, 0 receive and 1 transmit errors
worker     core 2, 1.23M packets/s, 42% busy, 81.2G packets in all
worker     core 3, 0 packets/s, 0% busy, 9 packets in all
warning: backend web 10.0.0.13: MAC address not known
warning: odd ?[2J text
"""

COUNTERS = """\
Received
  received         12345678901  packets received
Verdicts: each packet received ends in one of them
  forwarded        12345670000  sent to a backend
  drop_no_backend           17  for a VIP whose pool has no usable backend
Events: what happened on the way
  flow_hit         12345600000  packets whose flow was in the flow table
3 more are zero; --all shows them.
"""

FLOWS = """\
VIP                   Backend        State        Idle
192.0.2.80:80/tcp     10.0.0.11      established    4s
[2001:db8::80]:53/udp 2001:db8:a::11 udp         2m 8s
2 of 51200 flows; --limit N shows more
"""

EXPLAIN = """\
packet    from 198.51.100.2:40000 to 192.0.2.80:80/tcp
VIP       192.0.2.80:80/tcp, pool web, scheduler maglev
flow      not in the flow table
slot      4711
backend   10.0.0.11, up, MAC 02:00:00:00:00:11
why       A new flow: its hash chooses slot 4711 of the pool's 65537.
"""


def test_access(daemon):
    """access show: lists with few and with many VIPs, and the rules of one."""
    def a_list(name, n, **more):
        return {"name": name, "allow": 0, "deny": 2, "packets_allowed": 0, "packets_denied": 1234567,
                "vips": [f"192.0.2.{i}:80/tcp" for i in range(n)], **more}

    daemon.results["access.show"] = {"access": [a_list("a", 0), a_list("few", 2), a_list("many", 100)]}
    same("access show", shuntctl("access", "show", socket=daemon.path).out, """\
List Allow Deny AllowedPkts DeniedPkts VIPs
a        0    2           0      1.23M -
few      0    2           0      1.23M 192.0.2.0:80/tcp 192.0.2.1:80/tcp
many     0    2           0      1.23M 192.0.2.0:80/tcp 192.0.2.1:80/tcp 192.0.2.2:80/tcp and 97 more
""")
    daemon.results["access.show"] = a_list("few", 2, rules=[
        {"prefix": "203.0.113.0/24", "action": "deny", "packets": 1234567}])
    same("access show NAME", shuntctl("access", "show", "few", "--limit", "1", socket=daemon.path).out, """\
Action Prefix         Packets
deny   203.0.113.0/24   1.23M
1 of 2 rules, those with most packets; --limit N shows more; any other source is let in
""")
    del daemon.results["access.show"]


def test_printing(daemon):
    for line, wanted in (("show", SHOW), ("show backends --stats", BACKENDS), ("show pools", POOLS),
                         ("show vips --rate", VIPS), ("show vips --stats", VIPS_STATS), ("status", STATUS), ("counters", COUNTERS), ("flows", FLOWS),
                         ("explain 198.51.100.2:40000 192.0.2.80:80/tcp", EXPLAIN),
                         ("drain 10.0.0.11", "Done: in force with snapshot 43.\n"),
                         ("reload", "backend web 10.0.0.14 added\npool empty removed\n"
                                    "Done: in force with snapshot 43.\n"),
                         ("reload --dry-run", "backend web 10.0.0.14 added\npool empty removed\n"
                                              "Dry run: nothing was changed.\n"),
                         ("check /x.conf", "/x.conf is right: 1 VIP, 1 pool, 2 backends.\n"),
                         ("save -", ANSWERS["save"]["text"]),
                         ("detach", "Done: no XDP program of shunt's is on eth0.\n")):
        r = shuntctl(*line.split(), socket=daemon.path)
        same(f"prints: {line}", str(r), f"exit status 0\n{wanted}")

    r = shuntctl("counters", "--all", socket=daemon.path)
    check("counters --all: the zero ones too", "drop_icmp" in r.out and "port_missed" in r.out and "more" not in r.out, r)

    first = {n: dict(c) for n, c in ANSWERS["counters"].items()}
    second = {n: dict(c, value=c["value"] + (100000 if n == "forwarded" else 0)) for n, c in first.items()}
    second["flow_hit"] = dict(second["flow_hit"], value=5)  # a dataplane that began anew
    daemon.results["counters"] = [first, second]
    begun = time.monotonic()
    r = shuntctl("counters", "--rate", socket=daemon.path)
    least = 99 / (time.monotonic() - begun)  # however long it took
    rate = re.search(r"^  forwarded +([\d.]+)k/s ", r.out, re.M)
    check("counters --rate: growth a second", rate and least < float(rate[1]) <= 100.5 and "6 more are zero" in r.out and
          "flow_hit" not in r.out, r)
    daemon.results["counters"] = [{"forwarded": 10, "drop_icmp": 0}, {"forwarded": 10, "drop_icmp": 3}]
    begun = time.monotonic()
    r = shuntctl("--json", "counters", "--rate", socket=daemon.path)
    least = 2.9 / (time.monotonic() - begun)
    rates = json.loads(r.out)
    check("--json counters --rate: name to number", rates["forwarded"] == 0 and least < rates["drop_icmp"] <= 3.1, r)
    del daemon.results["counters"]

    explain = dict(ANSWERS["explain"])
    for changes, wanted in (
            ({"reason": "flow", "flow_state": "established", "slot": None},
             "flow      in the flow table: established\nbackend   10.0.0.11, up, MAC 02:00:00:00:00:11\nwhy "),
            ({"reason": "hash", "backend": None, "slot": None},
             "flow      not in the flow table\nbackend   not settled before the packet comes\nwhy "),
            ({"reason": "no-backend", "backend": None, "slot": None}, "backend   none\nwhy "),
            ({"reason": "no-vip", "backend": None, "vip": None, "slot": None, "text": None},
             "VIP       none\nbackend   none\nwhy       no-vip\n"),
            ({"reason": "denied", "backend": None, "slot": None, "flow_state": "established", "access": "edge",
              "rule": {"prefix": "198.51.100.0/24", "action": "deny"}},
             "flow      in the flow table: established\naccess    list edge, rule deny 198.51.100.0/24\n"
             "backend   none\nwhy "),
            ({"reason": "not-allowed", "backend": None, "slot": None, "access": "edge", "rule": None},
             "access    list edge, no rule for the source\nbackend   none\nwhy "),
            ({"reason": "faulty", "backend": None, "slot": None, "access": None, "rule": None},
             "flow      not in the flow table\nbackend   none\nwhy "),
            ({"reason": "hash", "access": "edge", "rule": {"prefix": "198.51.100.0/24", "action": "allow"}},
             "access    list edge, rule allow 198.51.100.0/24\nslot      4711\nbackend   10.0.0.11, up")):
        daemon.results["explain"] = {**explain, **changes}
        r = shuntctl("explain", "198.51.100.2:40000", "192.0.2.80:80/tcp", socket=daemon.path)
        check(f"explain: {changes['reason']}, backend {changes.get('backend', explain['backend'])}", r.status == 0 and wanted in r.out, r)
    del daemon.results["explain"]

    for value, shown in ((0, "0"), (0.04, "0"), (0.4, "0.4"), (9.0, "9"), (9.97, "10"), (9999, "9999"), (9999.9, "10.0k"),
                         (99949, "99.9k"), (99951, "100k"), (999499, "999k"), (999501, "1.00M"), (1e18, "1.00E")):
        daemon.results["show"] = {"vips": [{"packets_per_second": value}]}
        r = shuntctl("show", "vips", "--rate", socket=daemon.path)
        same(f"a rate of {value} reads {shown}", r.out.splitlines()[1].split()[-3], shown)
    for value, shown in ((0, "0s"), (59, "59s"), (60, "1m"), (125, "2m 5s"), (3600, "1h"), (3659, "1h"), (7260, "2h 1m"),
                         (86400, "1d"), (180000, "2d 2h")):
        daemon.results["status"] = {"uptime_s": value}
        r = shuntctl("status", socket=daemon.path)
        check(f"a time of {value} s reads {shown}", f"up {shown}, pid" in r.out, r)

    daemon.results["show"] = {"vips": [], "pools": []}
    r = shuntctl("show", socket=daemon.path)
    check("show of an empty set: says so, and how to go on", r.status == 0 and r.out.startswith("No VIPs and no pools."), r)
    daemon.results["status"] = {**ANSWERS["status"], "dataplane": {"connected": False}, "warnings": []}
    r = shuntctl("status", socket=daemon.path)
    check("status without a dataplane: says so", "dataplane  not connected" in r.out and "port" not in r.out, r)
    xdp = {"interface": "eth0", "attached": True, "mode": "generic", "uptime_s": 60, "snapshot": 42, "ports": [],
           "workers": [{"core": 1, "packets": 5, "packets_per_second": 0.0}]}
    daemon.results["status"] = {**ANSWERS["status"], "path": "xdp-generic", "xdp": xdp, "dataplane": {"connected": False}}
    r = shuntctl("status", socket=daemon.path)
    check("status of both forwarders, one of them away: says what XDP is at",
          "program    eth0, generic mode, counting for 1m, snapshot 42 in force\n" in r.out and
          "dataplane  not connected: XDP forwards meanwhile\n" in r.out and
          "worker     core 1, 0 packets/s, 5 packets in all\n" in r.out, r)
    daemon.results["status"] = {key: value for key, value in ANSWERS["status"].items() if key != "dataplane"}
    daemon.results["status"].update(path="xdp", xdp={**xdp, "attached": False, "mode": None})
    r = shuntctl("status", socket=daemon.path)
    check("status of XDP alone: no word of the dataplane", "program    eth0, not attached\n" in r.out and
          "dataplane " not in r.out, r)
    daemon.results["reload"] = {"changes": [], "snapshot": 42}
    r = shuntctl("reload", socket=daemon.path)
    check("reload without changes: says so", r.out == "Nothing to change: the running set is what the file says.\n", r)
    daemon.results.clear()

    for odd in ({}, {"vips": 3, "pools": "x"}, {"vips": [None, 1, "x", {}], "pools": [[], {"name": 1, "backends": 5}]},
                {"vips": [{"address": "x" * 300, "port": -1, "protocol": "y" * 300, "pool": ""}], "pools": []},
                {"pools": [{"backends": [{"state": "sideways", "weight": 1e300, "mac": 5, "active_flows": "many"}]}]}):
        for method in ("show", "status", "counters", "flows", "explain", "reload"):
            daemon.results[method] = odd
        done = [shuntctl(*line.split(), socket=daemon.path) for line in
                ("show", "show vips", "show pools", "show backends --rate", "status", "counters --all", "flows",
                 "explain 1.2.3.4:5 1.2.3.4:5/tcp", "reload")]
        check(f"a result of another shape is no harm: {json.dumps(odd)[:60]}",
              all(r.status == 0 and not r.err for r in done), "\n".join(map(str, done)))
    daemon.results.clear()


def test_json(daemon):
    for line in ("show", "status", "flows", "drain 10.0.0.11", "reload", "check /x.conf", "detach",
                 "explain 1.2.3.4:5 1.2.3.4:6/tcp"):
        r = shuntctl("--json", *line.split(), socket=daemon.path)
        same(f"--json {line}: the result as it is", r.status == 0 and json.loads(r.out),
             ANSWERS[line.split()[0]])
    r = shuntctl("counters", "--json", socket=daemon.path)
    same("--json after the command; counters are name to number", json.loads(r.out),
         {n: c["value"] for n, c in ANSWERS["counters"].items()})
    r = shuntctl("--json", "status", socket=daemon.path)
    check("--json: decimals are not made longer", '"busy_percent": 41.7' in r.out, r)

    daemon.errors["drain"] = {"code": 1, "message": "no pool has a backend 10.0.0.99", "data": {"errno": "ENOENT"}}
    r = shuntctl("drain", "10.0.0.99", socket=daemon.path)
    same("a refusal: why, status 1", str(r), "exit status 1\nshuntctl: no pool has a backend 10.0.0.99\n")
    r = shuntctl("--json", "drain", "10.0.0.99", socket=daemon.path)
    check("--json: a refusal as JSON on standard error", r.status == 1 and not r.out and json.loads(r.err) == {
        "error": {"code": 1, "message": "no pool has a backend 10.0.0.99", "data": {"errno": "ENOENT"},
                  "exit_status": 1}}, r)
    daemon.errors["drain"] = {"code": 3, "message": "not acknowledged in 5 s: kept, and applied when it can be"}
    r = shuntctl("drain", "10.0.0.11", socket=daemon.path)
    check("not acknowledged: status 1 and the daemon's word", r.status == 1 and "kept, and applied" in r.err, r)
    daemon.errors["drain"] = {"code": -32602, "message": "address: not of this network"}
    r = shuntctl("drain", "10.0.0.11", socket=daemon.path)
    check("invalid params: status 2", r.status == 2 and r.err == "shuntctl: address: not of this network\n", r)
    daemon.errors["drain"] = {"code": -32601, "message": "no such method"}
    r = shuntctl("drain", "10.0.0.11", socket=daemon.path)
    check("an older daemon: status 1, says so", r.status == 1 and "no method 'drain'" in r.err, r)
    daemon.errors["drain"] = {"code": 1, "message": "odd \033[2J text"}
    r = shuntctl("drain", "10.0.0.11", socket=daemon.path)
    check("control characters of an error do not reach the terminal", r.err == "shuntctl: odd ?[2J text\n", r)
    daemon.errors["drain"] = {}
    r = shuntctl("drain", "10.0.0.11", socket=daemon.path)
    check("an error without a word: status 1", r.status == 1 and "did not say why" in r.err, r)
    daemon.errors.clear()
    r = shuntctl("--json", "shwo")
    check("--json: a usage error as JSON", r.status == 2 and json.loads(r.err)["error"]["exit_status"] == 2, r)
    r = shuntctl("shwo", "--json")
    check("--json after what is wrong", r.status == 2 and json.loads(r.err)["error"]["exit_status"] == 2, r)
    r = shuntctl("--json", b"shw\xff\xfe")
    check("--json: an error over bytes that are not UTF-8", r.status == 2 and "message" in json.loads(r.err)["error"], r)


EVENTS = """\
2026-11-21 17:10:57.123  backend web 10.0.0.12: down: 3 failures in a row: HTTP status 503
2026-11-21 17:11:09.004  backend web 10.0.0.12: up
2026-11-21 17:11:10.500  reload: nothing has changed
"""


def test_events(daemon):
    r = shuntctl("events", socket=daemon.path, env=environment(TZ="UTC"))
    same("events: time and what the log said", str(r), f"exit status 0\n{EVENTS}")
    r = shuntctl("events", socket=daemon.path, env=environment(TZ="XXX-1"))
    check("events: the time is that of here", r.out.startswith("2026-11-21 18:10:57.123  "), r)
    r = shuntctl("--json", "events", socket=daemon.path)
    same("--json events: one object a line", [json.loads(line) for line in r.out.splitlines()],
         ANSWERS["events"]["events"])
    daemon.results["events"] = {"events": [{"time": "never", "text": "a\033[2Jb"}, 17, {}], "next": "x"}
    r = shuntctl("events", socket=daemon.path)
    same("events of another shape are no harm", str(r), "exit status 0\nnever  a?[2Jb\n-  ?\n-  ?\n")
    daemon.results.clear()

    def event(n):
        return {"sequence": n, "time": f"2026-11-21T17:10:0{n}.000Z", "message": f"event {n}"}

    # What each of its calls gets; None: shuntd hangs up, as one does that is stopped.
    script = [
        {"result": {"events": [event(1)], "next": 1, "lost": False, "run": "a"}},
        {"result": {"events": [event(2)], "next": 2, "lost": False, "run": "a"}},
        {"result": {"events": [], "next": 2, "lost": False, "run": "a"}},
        None,
        None,
        {"result": {"events": [event(3)], "next": 3, "lost": True, "run": "b"}},
        {"result": {"events": [event(4)], "next": 9, "lost": True, "run": "b"}},
        {"error": {"code": 1, "message": "enough"}},
    ]

    def act(connection, request):
        answer = script.pop(0)
        if answer:
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode() + b"\n")

    daemon.requests.clear()
    daemon.misbehave = act
    r = shuntctl("events", "--follow", "--pool", "web", socket=daemon.path, env=environment(TZ="UTC"))
    daemon.misbehave = None
    same("events --follow: each event once, through a restart", r.out,
         "".join(f"2026-11-21 17:10:0{n}.000  event {n}\n" for n in range(1, 5)))
    same("events --follow: says what it saw of shuntd", r.err,
         "shuntctl: shuntd is away: waiting for it\nshuntctl: shuntd is back\n"
         "shuntctl: shuntd was restarted: these are its events since\n"
         "shuntctl: more events came than shuntd keeps: some are missing here\n"
         "shuntctl: enough\n")
    check("events --follow: what shuntd refuses ends it", r.status == 1, r)
    asked = [q["params"] for q in daemon.requests]
    same("events --follow: goes on where it was", asked,
         [{"pool": "web", "limit": 10}] +
         [{"pool": "web", "wait": True, "after": n, "run": run}
          for n, run in ((1, "a"), (2, "a"), (2, "a"), (2, "a"), (2, "a"), (3, "b"), (9, "b"))])
    r = shuntctl("events", "--follow", socket="/nowhere")
    check("events --follow: no daemon at first: status 3", r.status == 3, r)


def test_connection(folder):
    r = shuntctl("show", socket=folder / "nothing")
    check("no socket: status 3", r.status == 3 and "no shuntd at" in r.err and "is it running?" in r.err, r)
    r = shuntctl("--json", "show", socket=folder / "nothing")
    check("no socket, --json: status 3", r.status == 3 and json.loads(r.err)["error"]["exit_status"] == 3, r)
    FakeShuntd(folder / "stale").close()
    r = shuntctl("show", socket=folder / "stale")
    check("nobody listens: status 3", r.status == 3 and "nobody listens there" in r.err, r)
    (folder / "file").write_text("x")
    r = shuntctl("show", socket=folder / "file")
    check("a file, not a socket: status 3", r.status == 3, r)
    r = shuntctl("show", socket=folder / "file" / "socket")
    check("not even a folder: status 3", r.status == 3, r)
    daemon = FakeShuntd(folder / "closed")
    os.chmod(daemon.path, 0)
    os.chmod(folder, 0o755)
    program = shutil.copy(SHUNTCTL, folder)  # the build folder may be closed to the other user
    p = subprocess.run([program, "--socket", daemon.path, "show"], capture_output=True, text=True, timeout=60,
                       env=environment(), user=65534 if os.geteuid() == 0 else None)
    check("no right to connect: status 1", p.returncode == 1 and "no right to connect" in p.stderr, p)
    daemon.close()


def send(data):
    return lambda connection, request: connection.sendall(data)


def test_bad_answers(daemon):
    def one_by_one(connection, request):
        for byte in daemon.answer(request)[:200] + b"\n":
            connection.sendall(bytes([byte]))

    def slowly(connection, request):
        answer = daemon.answer(request)
        for i in range(0, len(answer), 65521):
            connection.sendall(answer[i:i + 65521])
            time.sleep(0.01)

    def endless(connection, request):
        block = b" " * (1 << 20)
        while True:
            connection.sendall(block)

    def reset(connection, request):
        connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER, 0 s

    cases = [
        ("hangs up at once", lambda c, q: None, "hung up without its answer"),
        ("resets the connection", reset, "hung up without its answer"),
        ("hangs up in mid-answer", send(b'{"jsonrpc":"2.0","id":1,"result":{"vi'), "in the middle of its answer"),
        ("whole answer without a line feed", send(b'{"jsonrpc":"2.0","id":1,"result":{}}'), "in the middle of its answer"),
        ("not JSON", send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "the answer is not JSON"),
        ("an empty line", send(b"\n"), "the answer is not JSON"),
        ("not UTF-8", send(b'{"jsonrpc":"2.0","id":1,"result":{"a":"\xff"}}\n'), "the answer is not JSON"),
        ("zero bytes", send(b"\0\0\0\0\n"), "the answer is not JSON"),
        ("nested without end", send(b"[" * 1000000 + b"\n"), "the answer is not JSON"),
        ("an array", send(b"[1,2,3]\n"), "not an answer to the request"),
        ("a number", send(b"7\n"), "not JSON"),
        ("no result and no error", send(b'{"jsonrpc":"2.0","id":1}\n'), "not an answer to the request"),
        ("result null", send(b'{"jsonrpc":"2.0","id":1,"result":null}\n'), "not an answer to the request"),
        ("result a string", send(b'{"jsonrpc":"2.0","id":1,"result":"fine"}\n'), "not an answer to the request"),
        ("another request's answer", send(b'{"jsonrpc":"2.0","id":7,"result":{}}\n'), "not an answer to the request"),
        ("error a string", send(b'{"jsonrpc":"2.0","id":1,"error":"bad"}\n'), "not an answer to the request"),
        ("error without id", send(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}\n'),
         "parse error"),
        ("an answer of a few bytes at a time, cut short", one_by_one, "the answer is not JSON"),
        ("an answer without end", endless, "no end after 128 MiB"),
    ]
    for name, what, why in cases:
        daemon.misbehave = what
        r = shuntctl("show", socket=daemon.path)
        check(f"daemon: {name}: status 1", r.status == 1 and why in r.err and not r.out and "not known" not in r.err, r)
    daemon.misbehave = lambda c, q: None
    r = shuntctl("drain", "10.0.0.11", socket=daemon.path)
    check("daemon gone during a change: says that the outcome is not known", r.status == 1 and
          "whether the change was made is not known" in r.err, r)
    daemon.misbehave = slowly
    backend = ANSWERS["show"]["pools"][2]["backends"][0]
    daemon.results["show"] = {"vips": [{"address": "192.0.2.80", "protocol": "tcp", "port": 80, "pool": "big"}],
                              "pools": [{"name": "big", "scheduler": "maglev", "backends": [backend] * 20000}]}
    r = shuntctl("show", socket=daemon.path)
    check("an answer of megabytes, in pieces", r.status == 0 and r.out.count("  -> 10.0.0.11") == 20000, r.err)
    daemon.misbehave = None
    daemon.results.clear()


def silent_daemon(folder, results):
    """In a thread of its own beside all else: it takes as long as shuntctl's patience."""
    daemon = FakeShuntd(folder / "silent")
    released = threading.Event()
    daemon.misbehave = lambda c, q: released.wait(40)
    begin = time.monotonic()
    r = shuntctl("show", socket=daemon.path)
    results.append((r, time.monotonic() - begin))
    released.set()
    daemon.close()


def test_output(daemon):
    shown = on_terminal("--socket", daemon.path, "show")
    for state, colour in (("up", 32), ("down", 31), ("draining", 33)):
        check(f"on a terminal: {state} in colour", re.search(f"\033\\[{colour}m{state} *\033", shown), shown)
    plain = re.sub("\033\\[\\d*m", "", shown).replace("\r\n", "\n")
    same("on a terminal: nothing cut short, nothing else different",
         [line.rstrip() for line in plain.splitlines()], [line.rstrip() for line in SHOW.splitlines()])
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        shown = on_terminal("--socket", daemon.path, "show", **{name: value})
        check(f"{name}={value}: no colours", "10.0.0.11" in shown and "\033" not in shown, shown)

    for ignored in (False, True):
        reading, writing = os.pipe()
        os.close(reading)
        p = subprocess.run([SHUNTCTL, "--socket", daemon.path, "show"], stdout=writing, stderr=subprocess.PIPE,
                           restore_signals=not ignored, env=environment(), timeout=60)
        os.close(writing)
        check(f"a reader that left{' (SIGPIPE ignored)' if ignored else ''}: quiet",
              p.returncode == 0 and p.stderr == b"", p)
    with open("/dev/full", "w") as full:
        r = shuntctl("show", socket=daemon.path, stdout=full)
    check("no room for the output: status 1", r.status == 1 and "can't write the output" in r.err, r)


def test_save(daemon, folder):
    text = ANSWERS["save"]["text"]
    target = folder / "saved.conf"
    r = shuntctl("save", str(target), socket=daemon.path)
    check("save: a new file", r.status == 0 and target.read_text() == text and r.out == f"Saved to {target}.\n", r)
    check("save: leaves no temporary file", [p.name for p in folder.glob("saved.conf*")] == ["saved.conf"], "")
    target.write_text("old")
    target.chmod(0o640)
    inode = target.stat().st_ino
    r = shuntctl("save", "saved.conf", socket=daemon.path, cwd=folder)
    check("save: replaced whole, mode kept", r.status == 0 and target.read_text() == text and
          stat.S_IMODE(target.stat().st_mode) == 0o640 and target.stat().st_ino != inode, r)
    target.write_text("old")
    (folder / "link.conf").symlink_to("saved.conf")
    r = shuntctl("save", str(folder / "link.conf"), socket=daemon.path)
    check("save: through a symbolic link", r.status == 0 and (folder / "link.conf").is_symlink() and
          target.read_text() == text, r)
    r = shuntctl("save", "/dev/null", socket=daemon.path)
    check("save: a device stays a device", r.status == 0 and pathlib.Path("/dev/null").is_char_device(), r)
    r = shuntctl("save", "/dev/full", socket=daemon.path)
    check("save: no room, status 1", r.status == 1 and "can't write /dev/full: No space left" in r.err, r)
    r = shuntctl("save", str(folder / "no" / "such" / "folder"), socket=daemon.path)
    check("save: no such folder, status 1", r.status == 1 and "No such file or directory" in r.err, r)
    r = shuntctl("--json", "save", str(target), socket=daemon.path)
    check("--json save: the result, and the file", json.loads(r.out) == ANSWERS["save"] and target.read_text() == text, r)
    target.write_text("old")
    daemon.errors["save"] = {"code": 1, "message": "no"}
    r = shuntctl("save", str(target), socket=daemon.path)
    check("save refused: the file is as it was", r.status == 1 and target.read_text() == "old", r)
    daemon.errors.clear()


def offered(daemon, *words):
    for _ in range(3):  # a daemon that says nothing for a second is not waited for
        begun = time.monotonic()
        r = shuntctl("__complete", "--socket", daemon.path, *words)
        if time.monotonic() - begun < 0.9:
            break
    return [line.split("\t")[0] for line in r.out.splitlines()] if r.status == 0 else r


def test_completion(daemon):
    for words, wanted in (
            (["s"], ["status", "show", "save"]),
            (["vip", ""], ["add", "set", "del"]),
            (["show", ""], ["vips", "pools", "backends"]),
            (["show", "--s"], ["--stats", "--socket"]),
            (["pool", "add", "x", "--scheduler", "r"], ["round-robin"]),
            (["pool", "add", "d"], []),
            (["pool", "del", ""], ["dns6", "empty", "web"]),
            (["vip", "del", "192"], ["192.0.2.80:80/tcp", "192.0.2.80:443/tcp"]),
            (["vip", "add", "192"], []),
            (["vip", "add", "192.0.2.81:80/tcp", "--pool", "w"], ["web"]),
            (["backend", "set", "web", "10.0.0.12"], ["10.0.0.12"]),
            (["backend", "del", "dns6", ""], ["2001:db8:a::11"]),
            (["drain", "--pool", "dns6", ""], ["2001:db8:a::11"]),
            (["drain", "--pool=dns6", ""], ["2001:db8:a::11"]),
            (["drain", "--pool=d"], ["--pool=dns6"]),
            (["drain", "--pool="], ["--pool=dns6", "--pool=empty", "--pool=web"]),
            (["flows", "--vip=[2"], ["--vip=[2001:db8::80]:53/udp"]),
            (["save", "--json="], []),
            (["drain", "2"], ["2001:db8:a::11"]),
            (["check", ""], [":files"]),
            (["save", ""], [":files"]),
            (["help", "back"], ["backend"]),
            (["help", "backend", "s"], ["set"]),
            (["frobnicate", "x"], []),
            (["show", "vips", ""], [])):
        same(f"completes: {' '.join(words)}|", offered(daemon, *words), wanted)
    everything = offered(daemon, "")
    listed = re.findall(r"^  ([a-z]+)", shuntctl("help").out.split("Options:")[0], re.M)
    same("completes: every command once", everything, list(dict.fromkeys(listed)))
    r = shuntctl("__complete", "--socket", "/nowhere", "pool", "del", "")
    check("completes: nothing and quietly without a daemon", r.status == 0 and not r.out and not r.err, r)
    check("completes: with no word at all", shuntctl("__complete").status == 0)

    library = os.environ.get("BASH_COMPLETION", "/usr/share/bash-completion/bash_completion")
    if "BASH_COMPLETION" not in os.environ and not os.path.exists(library):
        print("ok - completion in bash # skipped: bash-completion is not installed")
        return
    script = f"""
        source {library} && source {ROOT}/control/cli/shuntctl.bash
        complete_line() {{
            COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9 COMP_KEY=9
            COMP_WORDS=("${{@:2}}") COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
            _shuntctl; echo "${{COMPREPLY[*]}}"
        }}
        complete_line "shuntctl ba" shuntctl ba
        complete_line "shuntctl vip del 192.0.2.80:4" shuntctl vip del 192.0.2.80 : 4
        complete_line "shuntctl drain --pool=dns6 " shuntctl drain --pool = dns6 ""
        complete_line "shuntctl drain --pool=d" shuntctl drain --pool = d
        complete_line "shuntctl flows --vip=192.0.2.80:4" shuntctl flows --vip = 192.0.2.80 : 4
        cd {HERE}; complete_line "shuntctl check cl" shuntctl check cl
    """
    wanted = "backend\n443/tcp\n2001:db8:a::11\ndns6\n443/tcp\ncli\n"
    for _ in range(3):
        p = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60, env=environment(
            SHUNT_SOCKET=daemon.path, PATH=f"{os.path.dirname(SHUNTCTL)}:{os.environ['PATH']}"))
        if p.stdout + p.stderr == wanted:
            break
    same("completion in bash", p.stdout + p.stderr, wanted)


def test_manual(daemon):
    """Every command and option has its place in the manual page."""
    page = (ROOT / "control/cli/shuntctl.8").read_text()
    missing = []
    for line in re.findall(r"^  ([a-z][^A-Z\[ ]*(?: [a-z]+)?)", shuntctl("help").out.split("Options:")[0], re.M):
        words = line.split()
        if shuntctl("help", *words).status != 0:
            words = words[:1]
        if not re.search(rf"^\.It Cm {' '.join(words)}\b", page, re.M):
            missing.append(" ".join(words))
        for option in offered(daemon, *words, "--"):
            if f"Fl -{option[2:]}" not in page:
                missing.append(f"{' '.join(words)} {option}")
    same("the manual page has every command and option", missing, [])


def main():
    if not os.access(SHUNTCTL, os.X_OK):
        print(f"not ok - {SHUNTCTL} is not there: SHUNT_BUILD names the build folder")
        return 1
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="shunt-cli-") as name:
        folder = pathlib.Path(name)
        silent = []
        patience = threading.Thread(target=silent_daemon, args=(folder, silent))
        patience.start()
        daemon = FakeShuntd(folder / "socket")
        test_usage(daemon)
        test_requests(daemon)
        test_drain(daemon)
        test_access(daemon)
        test_printing(daemon)
        test_json(daemon)
        test_events(daemon)
        test_connection(folder)
        test_bad_answers(daemon)
        test_output(daemon)
        test_save(daemon, folder)
        test_completion(daemon)
        test_manual(daemon)
        daemon.close()
        patience.join()
        r, seconds = silent[0]
        check("a daemon that says nothing: status 1 after 10 s", r.status == 1 and "silent for 10 s" in r.err and
              9.5 < seconds < 20, f"{r}after {seconds:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
