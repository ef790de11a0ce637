#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where VIPs are is announced; another host that says it has one is noticed and told of; one that asks whether it may
# have one is told that it may not; pings are answered up to a limit.
#
#   client ── router ── lan ──┬── lb         listens on lan to what lb and the others say
#                             ├── rs1        claims the VIPs
#                             └── rs2        would like to have them
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

rs1_mac=02:00:00:00:00:11
router_mac() { ip -n "${prefix}router" -j link show lan | gojq -r '.[0].address'; }

# Announcements of an address from a MAC that the router has heard: SECONDS.FRACTION each
heard() { # ADDRESS MAC
	case $1 in
	*:*) awk -v m="$2" -v a="tgt is $1," '$2 == m && /neighbor advertisement/ && index($0, a)' "$scratch/listen" ;;
	*) awk -v m="$2" -v a="who-has $1 " -v t="tell $1," '$2 == m && index($0, a) && index($0, t)' "$scratch/listen" ;;
	esac | awk '{ print $1 }'
}
n_heard() { heard "$@" | wc -l; }
heard_more() { (($(n_heard "$1" "$2") >= $3)); }

# Texts of the events of a kind.
# shellcheck disable=SC2016 # a variable of the filter's
told() { ctl --json events --limit 1024 | gojq -r --arg kind "$1" 'select(.kind == $kind) | .text'; }
told_of() { told "$1" | grep -qE "$2"; }

rose() { (($(counter "$1") >= $2)); }

lab up
edit_conf 's/^pools =/announce: { repeat = 3; interval = "300ms"; rate = 500; };\necho: { rate = 20; burst = 30; };\n&/'
background listen ip netns exec "${prefix}router" tcpdump -i lan -p -n -e -tt -l -v 'arp or icmp6'
await 5 "the router listens" grep -q 'listening on' "$scratch/listen"
lab start
await 15 "every backend is up" all_up
count_from_here

step "every address is announced three times, an interval apart"
for address in "$vip4" "$vip6"; do
	await 10 "$address is announced three times" heard_more "$address" "$lb_mac" 3
	heard "$address" "$lb_mac" | head -n 3 | awk -v a="$address" '
		NR > 1 && $1 - before < 0.29 { print a " was announced after " $1 - before " s"; exit 1 } { before = $1 }' ||
		fail "announcements follow one another too soon"
done
! grep -q "who-has 10.0.0.* tell $vip4," "$scratch/listen" || fail "lb asks from the VIP"

step "one that becomes active by command is announced, and no other once more"
others=$(n_heard "$vip4" "$lb_mac")
ctl vip add 192.0.2.81:80/tcp --pool web
ctl vip add '[2001:db8::81]:80/tcp' --pool web6
for address in 192.0.2.81 2001:db8::81; do
	await 10 "$address is announced three times" heard_more "$address" "$lb_mac" 3
done
is "announcements of $vip4" "$(n_heard "$vip4" "$lb_mac")" "$others"

step "a router that has the MAC of another host is set right when the forwarder comes"
kill_hard "$forwarder"
ip -n "${prefix}router" neigh replace "$vip4" lladdr 02:00:00:00:00:99 dev lan nud reachable
ip -n "${prefix}router" neigh replace "$vip6" lladdr 02:00:00:00:00:99 dev lan nud reachable
lab start "$forwarder"
knows() { [[ $(ip -n "${prefix}router" -j neigh show "$1" dev lan | gojq -r '.[0].lladdr') == "$lb_mac" ]]; }
await 15 "the router has the right MAC of $vip4" knows "$vip4"
await 15 "the router has the right MAC of $vip6" knows "$vip6"
await 10 "$vip4 is announced three times" heard_more "$vip4" "$lb_mac" $((others + 3))
await 5 "and $vip6" heard_more "$vip6" "$lb_mac" $((others + 3))
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"

step "another host claims an address, by announcement, answer or question: told of once, and answered"
await 10 "the shuntd that runs is ready" in_force
[[ -z $(told vip_claimed) ]] || fail "somebody claims an address: $(told vip_claimed)"
cat >"$scratch/claim.py" <<'END'
import sys
from scapy.all import *
conf.verb = 0
iface, kind, address = sys.argv[1:4]
own = get_if_hwaddr(iface)
all4, all6 = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"
if kind == "advertise":
    frame = Ether(src=own, dst=all6) / IPv6(src=address, dst="ff02::1", hlim=255) / \
        ICMPv6ND_NA(tgt=address, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=own)
elif kind == "answer":
    frame = Ether(src=own, dst="02:00:00:00:00:02") / ARP(op=2, hwsrc=own, psrc=address, hwdst="02:00:00:00:00:02",
                                                          pdst="10.0.0.2")
else:
    frame = Ether(src=own, dst=all4) / ARP(op=1, hwsrc=own, psrc=address, pdst=address if kind == "announce" else "10.0.0.2")
for _ in range(int(sys.argv[4])):
    sendp(frame, iface=iface)
END
claim() { on rs1 /usr/bin/python3 "$scratch/claim.py" eth0 "$@" 2>/dev/null; }
before=$(counter vip_claimed)
others=$(n_heard "$vip4" "$lb_mac")
began=$SECONDS
claim announce "$vip4" 1
await 5 "it is told of" told_of vip_claimed "^$vip4: the host with MAC $rs1_mac on $kernel_interface announces it"
await 5 "it is counted" rose vip_claimed $((before + 1))
await 5 "lb says that it has it" heard_more "$vip4" "$lb_mac" $((others + 1))
claim announce "$vip4" 20
claim answer "$vip4" 1
await 5 "they are counted" rose vip_claimed $((before + 22))
# Told of once a minute, answered every ten seconds, however long all that took.
more=$(($(n_heard "$vip4" "$lb_mac") - others))
((more <= 1 + (SECONDS - began + 1) / 10)) || fail "$more answers in $((SECONDS - began)) s"
n_told=$(told vip_claimed | wc -l)
((n_told <= 1 + (SECONDS - began + 1) / 60)) || fail "$n_told events in $((SECONDS - began)) s"
claim ask 192.0.2.81 1
await 5 "it is told of" told_of vip_claimed "^192.0.2.81: the host with MAC $rs1_mac .* asks for others from it"
claim advertise "$vip6" 1
await 5 "it is told of" told_of vip_claimed "^$vip6: the host with MAC $rs1_mac .* announces it"
await 5 "status says so" sh -c "ip netns exec '${prefix}lb' shuntctl --socket '$run/shuntd.sock' status |
	grep -q 'MAC $rs1_mac says that it has $vip6'"
claim announce 192.0.2.99 5
claim advertise 2001:db8::99 5
! told_of vip_claimed '^(192.0.2.99|2001:db8::99):' || fail "claims of what is no VIP's: $(told vip_claimed)"

step "a host that has an address already is found when it becomes a VIP's"
ip -n "${prefix}rs3" addr add 192.0.2.83/24 dev eth0
ctl vip add 192.0.2.83:80/tcp --pool web
await 5 "it is told of" told_of vip_claimed "^192.0.2.83: the host with MAC 02:00:00:00:00:13 .* answers for it"
ip -n "${prefix}rs3" addr del 192.0.2.83/24 dev eth0

step "a host that would like to have an address finds that it is taken, counted and told of"
before=$(counter vip_probed)
on rs2 sysctl -qw net.ipv6.conf.eth0.accept_dad=1 net.ipv6.conf.all.accept_dad=1
ip -n "${prefix}rs2" addr add 2001:db8::81/64 dev eth0
duplicate() { ip -n "${prefix}rs2" -6 addr show dev eth0 dadfailed | grep -q '2001:db8::81/'; }
await 10 "the kernel of rs2 has found the duplicate" duplicate
ip -n "${prefix}rs2" addr del 2001:db8::81/64 dev eth0
await 5 "it is counted" rose vip_probed $((before + 1))
await 5 "it is told of" told_of vip_probed 'another host would like to have'
cat >"$scratch/probe.py" <<'END'
import sys
from scapy.all import *
conf.verb = 0
own = get_if_hwaddr("eth0")
answers, _ = srp(Ether(src=own, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=own, psrc="0.0.0.0", pdst=sys.argv[1]), iface="eth0", timeout=2)
print(*(f"{r[ARP].psrc} is {r[ARP].hwsrc}" for _, r in answers))
END
is "answer to an ARP probe" "$(on rs2 /usr/bin/python3 "$scratch/probe.py" "$vip4" 2>/dev/null)" "$vip4 is $lb_mac"
await 5 "it is counted" rose vip_probed $((before + 2))

step "solicitations are answered with and without the asker's MAC in them, and not unless they are right"
cat >"$scratch/solicit.py" <<'END'
import socket
from scapy.all import *
conf.verb = 0
vip, own = "2001:db8::80", get_if_hwaddr("lan")
group = socket.inet_ntop(socket.AF_INET6, in6_getnsma(socket.inet_pton(socket.AF_INET6, vip)))
ether = Ether(src=own, dst=in6_getnsmac(in6_getnsma(socket.inet_pton(socket.AF_INET6, vip))))
def six(src="2001:db8:a::1", hlim=255):
    return IPv6(src=src, dst=group, hlim=hlim)
mac = ICMPv6NDOptSrcLLAddr(lladdr=own)
empty = Raw(b"\x0e\x00" + bytes(6)) # an option of no length
cases = {
    "with": six() / ICMPv6ND_NS(tgt=vip) / mac,
    "without": six() / ICMPv6ND_NS(tgt=vip),
    "probe": six("::") / ICMPv6ND_NS(tgt=vip),
    "code": six() / ICMPv6ND_NS(tgt=vip, code=1) / mac,
    "hops": six(hlim=254) / ICMPv6ND_NS(tgt=vip) / mac,
    "checksum": six() / ICMPv6ND_NS(tgt=vip, cksum=0x1234) / mac,
    "option": six() / ICMPv6ND_NS(tgt=vip) / empty,
    "probe-with": six("::") / ICMPv6ND_NS(tgt=vip) / mac,
}
# Behind each goes one that is answered for sure, to an address of its own: what was answered has come by then.
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86DD))
wire.bind(("lan", 0))
wire.settimeout(10)
end = "2001:db8:a::fe"
for name, packet in cases.items():
    for each in packet, six(end) / ICMPv6ND_NS(tgt=vip) / mac:
        wire.send(bytes(ether / each))
    answers = []
    while True:
        frame = wire.recv(2048)
        if len(frame) < 86 or frame[20] != 58 or frame[54] != 136 or frame[62:78] != socket.inet_pton(socket.AF_INET6, vip):
            continue
        to = socket.inet_ntop(socket.AF_INET6, frame[38:54])
        if to == end:
            break
        if to.startswith("fe80:"):
            continue # the kernel's own question, whenever it has one
        answers.append(f"{frame[80:86].hex(':')} {to} {frame[58] >> 6 & 1}")
    print(name, *answers)
END
is "answers" "$(on router /usr/bin/python3 "$scratch/solicit.py" 2>/dev/null)" \
	"with $lb_mac 2001:db8:a::1 1
without $lb_mac 2001:db8:a::1 1
probe $lb_mac ff02::1 0
code
hops
checksum
option
probe-with"

step "pings are answered up to the rate"
before=$(counter answered_echo) dropped=$(counter drop_echo_rate)
cat >"$scratch/ping.py" <<'END'
import socket, struct, sys
sys.path.insert(0, sys.argv[1])
from _generate import checksum, ether, ipv4, put
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[2], 0))
for number in range(200):
    body = struct.pack("!BBHHH", 8, 0, 0, 7, number) + b"x" * 8
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    put(wire, ether("02:00:00:00:00:02", 0x0800) + ipv4(socket.inet_aton("198.18.0.1"), socket.inet_aton("192.0.2.80"), 1, body))
END
began=${EPOCHREALTIME/[.,]/}
on_wire /usr/bin/python3 "$scratch/ping.py" "$here" "$wire"
all_seen() { (($(counter answered_echo drop_echo_rate) == before + dropped + 200)); }
await 5 "all are answered or dropped by name" all_seen
answered=$(($(counter answered_echo) - before))
most=$((30 + (${EPOCHREALTIME/[.,]/} - began) / 50000 + 1)) # of one worker, or CPU
((answered >= 30)) || fail "$answered pings were answered"
((answered <= most * $(is_xdp && nproc || echo 1))) || fail "$answered pings were answered, of at most $most"
on client ping -q -c 2 -i 0.5 -W 10 "$vip4" >/dev/null
edit_conf 's/^echo: .*/echo: { rate = 0; };/'
ctl reload
dropped=$(counter drop_echo_rate)
on_wire /usr/bin/python3 "$scratch/ping.py" "$here" "$wire"
is "pings dropped without a limit" "$(counter drop_echo_rate)" "$dropped"

step "with announcements turned off there are none, and claims are told of all the same"
edit_conf 's/^announce: .*/announce: { repeat = 0; };/'
ctl reload
before=$(n_heard 192.0.2.84 "$lb_mac")
ctl vip add 192.0.2.84:80/tcp --pool web
claim announce 192.0.2.84 1
await 5 "it is told of" told_of vip_claimed "^192.0.2.84: the host with MAC $rs1_mac"
is "announcements" "$(n_heard 192.0.2.84 "$lb_mac")" "$before"
matches "metrics" "$(on lb curl -fsS http://127.0.0.1:9190/metrics)" 'shunt_announcements_total [1-9]'
await 5 "verdicts add up to what was received" accounted_for
