# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What every integration test starts with: a lab of its own (scripts/lab), named after the test, that is gone
# when the test ends, whatever way it ends; a way to say what is expected; and, when something is not as
# expected, what one would want to look at. A test is a script that sources this, exits 0 when all was well and
# 77 when it can't run here.
#
# Its opening comment says which paths it is for, on a line of its own: "Paths: dpdk xdp", one of the two, or
# "Paths: none" when nothing is forwarded. It runs for SHUNT_PATH, else for the first of them.

set -Eeuo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
need_root

test_name=$(basename "$0" .sh)
paths=$(sed -n 's/^# Paths: //p' "$0")
[[ $paths =~ ^(dpdk|xdp|dpdk\ xdp|none)$ ]] || die "its opening comment has no line \"Paths: dpdk xdp\", or the like"
[[ $paths != none ]] || SHUNT_PATH=dpdk
export SHUNT_PATH=${SHUNT_PATH:-${paths%% *}}
if [[ $paths != none && " $paths " != *" $SHUNT_PATH "* ]]; then
	echo "skipped: not for the path $SHUNT_PATH"
	exit 77
fi
here=$repo/tests/integration
export SHUNT_LAB=${SHUNT_TEST_LABEL:-t}-$test_name
run=/run/shunt-lab-$SHUNT_LAB
prefix=shunt-$SHUNT_LAB-

# What is named differently on the two paths: the process whose death is the forwarder's or leaves it alone, the
# interface on which lb's kernel is reached, and where frames can be put on lb's cable with nothing in between.
if [[ $SHUNT_PATH == dpdk ]]; then
	forwarder=dataplane
	kernel_interface=shunt0
	wire_host=lb wire=wire0
else
	forwarder=shuntd
	kernel_interface=eth0
	wire_host=router wire=lb
fi
: "$forwarder" "$kernel_interface" "$wire"
is_dpdk() { [[ $SHUNT_PATH == dpdk ]]; }
is_xdp() { [[ $SHUNT_PATH == xdp ]]; }

vip4=192.0.2.80
vip6=2001:db8::80
lb_mac=02:00:00:00:00:02
: "$here" "$vip4" "$vip6" "$lb_mac"

scratch=$(mktemp -d "/tmp/shunt-$SHUNT_LAB.XXXXXX")
chmod 711 "$scratch"

# --- saying what is expected ---------------------------------------------------------------------------------

step() { printf '%s  %s\n' "$(date +%T.%3N)" "$*"; }

fail() {
	step "NOT AS EXPECTED: $*"
	exit 1
}

skip() {
	step "skipped: $*"
	exit 77
}

# is WHAT ACTUAL EXPECTED
is() { [[ $2 == "$3" ]] || fail "$1: \"$2\", not \"$3\""; }

# matches WHAT ACTUAL REGULAR-EXPRESSION
matches() { [[ $2 =~ $3 ]] || fail "$1: \"$2\" does not match \"$3\""; }

# await SECONDS WHAT CMD...: until the command succeeds. It is soon true, or never: a machine with much else to do has four
# times as long.
await() {
	until_true $((4 * $1)) "${@:3}" || fail "after $((4 * $1)) s still not: $2"
}

# refused STATUS PATTERN CMD...: the command ends with this status and one line on standard error that matches
refused() {
	local status=0 lines

	"${@:3}" >"$scratch/refused.out" 2>"$scratch/refused" || status=$?
	lines=$(wc -l <"$scratch/refused")
	is "status of ${*:3} (it said: $(<"$scratch/refused"))" "$status" "$1"
	matches "what ${*:3} said" "$(<"$scratch/refused")" "$2"
	is "lines of ${*:3} (it said: $(<"$scratch/refused"))" "$lines" 1
}

# --- the lab -------------------------------------------------------------------------------------------------

lab() { "$repo/scripts/lab" "$@"; }
on() { ip netns exec "$prefix$1" "${@:2}"; }
on_wire() { on "$wire_host" "$@"; }
ctl() { shuntctl --socket "$run/shuntd.sock" "$@"; }

# json COMMAND... FILTER: what shuntctl says, through gojq
json() { ctl --json "${@:1:$#-1}" | gojq -r "${!#}"; }

# Change the lab's configuration: edit_conf SED-EXPRESSION...
edit_conf() {
	local expression

	for expression; do sed -i -E "$expression" "$run/shunt.conf"; done
}

pid_of() { spawned_pid "$run/pid/$1"; }
kill_hard() { # dataplane or shuntd, and wait until it is gone
	spawned_end "$run/pid/$1" KILL
}

# What shuntd knows is in force: while many things change at once the forwarder is a moment behind.
in_force() { [[ $(json status .pending) == false ]]; }

none_down() { [[ $(json show '[.pools[].backends[] | select(.state != "up")] | length') == 0 ]]; }
all_up() { none_down && in_force; }

# For trafgen: SYNs to port 80 of the IPv4 VIP, each from another address that nobody has.
forged_syns() { # FILE
	cat >"$1" <<END
{
	0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0xfe, 0x02, const16(0x0800),
	0x45, 0, const16(40), const16(1), const16(0), 64, 6, csumip(14, 33),
	198, 18, drnd(2), 192, 0, 2, 80,
	drnd(2), const16(80), const32(1), const32(0), 0x50, 0x02, const16(1024), const16(0), const16(0)
}
END
}

backend_state() { # POOL ADDR
	json show ".pools[] | select(.name == \"$1\") | .backends[] | select(.address == \"$2\") | .state"
}

state_is() { [[ $(backend_state "$1" "$2") == "$3" ]] && in_force; }

# shuntd has its forwarder.
connected() {
	if is_dpdk; then [[ $(json status .dataplane.connected) == true ]]; else [[ $(json status .path) == xdp-native ]]; fi
}

# A program of ours where any user may run it, which the clone need not be: open_program NAME
open_program() {
	cp -n "$(command -v "$1")" "$scratch/$1"
	chmod 755 "$scratch/$1"
	echo "$scratch/$1"
}

# Hosts and shunt, every backend up.
start_all() {
	lab up
	lab start
	await 15 "every backend is up" all_up
	count_from_here
}

# One counter, or several added up.
counter() {
	local names

	printf -v names '.%s + ' "$@"
	json counters "${names}0"
}

# Packets that the kernel of this machine has put on the cable to lb; and those of them that it lost there, since the
# other end was full.
on_cable() { ip -n "$prefix$wire_host" -s -j link show "$wire" | gojq '.[0].stats64.tx.packets'; }
lost_on_cable() { ip -n "$prefix$wire_host" -s -j link show "$wire" | gojq '.[0].stats64.tx.dropped'; }

# Those that came before the XDP program did are none of its; to be called once when it is there and it is quiet.
unseen=0
count_from_here() {
	local received=-1 cable

	is_xdp || return 0
	until [[ $(counter received) == "$received" ]]; do
		received=$(counter received)
		cable=$(on_cable)
	done
	unseen=$((cable - received))
}

# Every packet the port received has exactly one verdict, and the port received what the kernel gave it. Checks go on
# meanwhile: what is compared is of one reading.
accounted_for() {
	local cable verdicts received

	cable=$(on_cable)
	read -r verdicts received < <(json counters \
		'"\([to_entries[] | select(.key | test("^(forwarded$|answered_|to_kernel$|held_|drop_)")) | .value] | add) \(.received)"')
	((verdicts == received)) || return 1
	[[ ${1-} == verdicts ]] || ((received >= cable - unseen))
}

# Field of `show --stats` summed over the backends of a pool: traffic POOL FIELD [ADDR]
traffic() {
	json show --stats "[.pools[] | select(.name == \"$1\") | .backends[]
		| select(\"${3-}\" == \"\" or .address == \"${3-}\") | .$2] | add"
}

# --- clients -------------------------------------------------------------------------------------------------

# http N HOST: N connections, each prints the server's name
http() {
	local host=${2//[/\\[} # brackets of an address are no range of curl's

	on client curl -fsS --fail-early -m 20 -H 'Connection: close' "http://${host//]/\\]}/?[1-$1]"
}

# udp N ADDR: N questions from different ports, each prints the server's name
udp() {
	on client "$repo/scripts/lab-udp" ask "$2" 53 "$1" | awk '{ print $1 }'
}

# who answered, as "rs1 rs2 rs3"
names() { sort -u | xargs; }

# Run a command in the background under the name NAME, output in $scratch/NAME.
background() { # NAME CMD...
	spawn "$run/pid/test-$1" "$scratch/$1" "${@:2}"
}
background_gone() { spawned_gone "$run/pid/test-$1"; }

# A download that takes a while, by the server's own pace: download NAME RATE [HOST]
download() {
	background "$1" ip netns exec "${prefix}client" sh -c \
		"curl -gsS -m 100 -o '$scratch/$1.file' -w '%{http_code} %{size_download}\n' 'http://${3:-$vip4}/download?rate=$2'"
	await 5 "download $1 has begun" test -s "$scratch/$1.file"
}

# All of it came, in one piece, from one server: downloaded NAME SECONDS
downloaded() {
	await "$2" "download $1 has ended" background_gone "$1"
	is "download $1" "$(<"$scratch/$1")" "200 8388608"
	cmp "$scratch/$1.file" "$run/$(head -c 3 "$scratch/$1.file")/www/download" ||
		fail "download $1 is damaged"
}
download_server() { head -c 3 "$scratch/$1.file" && echo; }

# --- the end -------------------------------------------------------------------------------------------------

show_what_there_is() {
	local file

	set +e
	trap - ERR
	echo "--- counters"
	timeout 5 ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" counters --all
	echo "--- show"
	timeout 5 ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" show --stats
	echo "--- status"
	timeout 5 ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" status
	for file in "$run"/log/*.log; do
		[[ -s $file ]] || continue
		echo "--- ${file##*/} (last 30 lines)"
		tail -n 30 "$file"
	done
	if [[ -e /run/netns/${prefix}lb ]]; then
		echo "--- lb: links, neighbours, rules"
		ip -n "${prefix}lb" -s -br link
		! is_xdp || on lb ethtool -S eth0 | grep -v ': 0$'
		echo "packets put on the cable: $(on_cable), of them before shunt was there: $unseen; lost there: $(lost_on_cable)"
		ip -n "${prefix}lb" neigh
		ip -n "${prefix}lb" rule | grep -v 'from all lookup [ldm]'
		echo "--- router: neighbours"
		ip -n "${prefix}router" neigh
	fi
}

finish() {
	local status=$?

	trap - EXIT ERR INT TERM
	if ((status != 0 && status != 77)); then
		show_what_there_is 2>&1
	fi
	# Programs built with sanitizers say what they found in their logs, some of it only when they end.
	lab stop || status=1
	if grep -qE 'Sanitizer|runtime error: ' "$run"/log/*.log 2>/dev/null; then
		grep -hE -A 20 'Sanitizer|runtime error: ' "$run"/log/*.log
		step "NOT AS EXPECTED: a sanitizer has found something"
		status=1
	fi
	lab down || status=1
	rm -rf "$scratch"
	exit "$status"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'step "line $LINENO: \"$BASH_COMMAND\" ended with status $?"' ERR
