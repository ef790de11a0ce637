# SPDX-License-Identifier: BSD-3-Clause
"""What clients notice of a server that dies, in the hosts of scripts/lab: 500 new connections a second over three
servers, of which one is cut off the network, or whose web server is killed. With passive detection and without, which
is what IPVS with a health checker of the same settings can do.

run(root, build, quick, add, say): add(figure name, unit, samples)
"""
import subprocess
import tempfile
import time

from lab import Lab

PER_SECOND = 500
BEFORE_S = 2  # that all is well
AFTER_S = 6
LIMIT_S = 5  # of a connect
VICTIM, VICTIM_MAC = "rs2", "02:00:00:00:00:12"
VIP, CLIENT = "192.0.2.80", "198.51.100.2"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Hosts(Lab):
    """With checks each second, down after so many failures."""

    def __init__(self, root, build, path, passive, fall):
        super().__init__("failover", root, build, path)
        self.settings = passive, fall

    def configure(self):
        self.host("client", "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65000").wait()
        self.edit(self.checks)

    def checks(self, text):
        passive, fall = self.settings
        text = text.replace('{ name = "web";', f'{{ name = "web"; passive = {str(passive).lower()};')
        text = text.replace("rise = 2; fall = 3", f"rise = 1; fall = {fall}")
        assert f"fall = {fall}" in text and "passive =" in text
        return text

    def off(self):
        self.host(VICTIM, "ip", "link", "set", "eth0", "down").wait()

    def on(self):
        for command in ("link set eth0 up", "route replace default via 10.0.0.1",
                        "route replace default via 2001:db8:a::1"):
            self.host(VICTIM, "ip", *command.split()).wait()

    def shell(self, text):
        """With the functions of scripts/lib.sh."""
        library = f"{self.root}/scripts/lib.sh"
        subprocess.run(["bash", "-euc", f'. "$1"; {text}', "bash", library], check=True)

    def kill_server(self):
        self.shell(f"spawned_end {self.run}/pid/{VICTIM}-nginx KILL")

    def start_server(self):
        folder = f"{self.run}/{VICTIM}"
        self.shell(f"spawn {self.run}/pid/{VICTIM}-nginx {self.run}/log/{VICTIM}-nginx.log "
                   f"ip netns exec shunt-{self.name}-{VICTIM} nginx -c {folder}/nginx.conf -p {folder} -e stderr")

    def turn(self, die):
        """Connections while the server dies: [(began, after so many seconds since; took ms, -1: failed)], and when SYNs
        of theirs went to it, in seconds since."""
        syns = tempfile.TemporaryFile("w+")
        watch = self.host("router", "tcpdump", "-i", "lb", "-l", "-n", "-tt", "--immediate-mode", "-Q", "in",
                          f"ether dst {VICTIM_MAC} and src host {CLIENT} and tcp[tcpflags] == tcp-syn",
                          stdout=syns, stderr=subprocess.DEVNULL)
        clients = self.host("client", f"{self.build}/tests/bench/steady_connect", VIP, "80", str(PER_SECOND),
                            str(BEFORE_S + AFTER_S), str(LIMIT_S), stdout=subprocess.PIPE)
        time.sleep(BEFORE_S)
        death = time.time()
        die()
        lines = clients.communicate()[0].splitlines()
        watch.terminate()
        watch.wait()
        syns.seek(0)
        seen = [float(line.split()[0]) - death for line in syns if " IP " in line]
        connections = [(float(began) - death, float(took)) for began, took, _ in map(str.split, lines)]
        return connections, [at for at in seen if at > 0]


def bench(lab, turns, say, add, name, die, revive):
    last, failed, slow = [], [], []
    for turn in range(turns):
        say(f"bench: {name}, turn {turn + 1} of {turns}")
        connections, syns = lab.turn(die)
        last.append(max(syns, default=0) * 1000)
        failed.append(sum(took < 0 for began, took in connections if began > -LIMIT_S))
        in_that_second = [took if took >= 0 else LIMIT_S * 1000 for began, took in connections if 0 <= began < 1]
        slow.append(percentile(in_that_second, 0.99))
        revive()
        lab.wait_until_all_are_up()
    add(f"{name}_last_syn", "ms", last)
    add(f"{name}_failed_of_{PER_SECOND * (BEFORE_S + AFTER_S)}", "conns", failed)
    # A refusal the client sees at once.
    if die == lab.off:
        add(f"{name}_p99_connect", "ms", slow)


def run(root, build, quick, add, say):
    turns = 2 if quick else 5
    for path in ("dpdk", "xdp"):
        for passive in (True, False):
            word = "passive" if passive else "checks"
            with Hosts(root, build, path, passive, 3) as lab:
                bench(lab, turns, say, add, f"failover_{path}_{word}_vanished", lab.off, lab.on)
            with Hosts(root, build, path, passive, 1) as lab:
                bench(lab, turns, say, add, f"failover_{path}_{word}_refusing", lab.kill_server, lab.start_server)
