#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A pool gets another name, and a VIP another pool with other servers, in the midst of downloads: they stay where they
# are, what begins afterwards goes where it should, and a dry run says so before.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
counters_before=$(traffic web new_flows)

step "downloads begin, and their pool is renamed"
for i in 1 2 3 4; do download "four-$i" 500k; done
edit_conf 's/"web"/"front"/'
matches "a dry run" "$(ctl reload --dry-run)" "pool front, was web \(renamed, its connections stay\)"
[[ $(ctl reload --dry-run) != *' added'* ]] || fail "a rename is said to add something: $(ctl reload --dry-run)"
ctl reload >/dev/null
is "pools" "$(json show '[.pools[].name] | sort | join(" ")')" "dns dns6 front web6"
all_up || fail "servers have to be checked anew after a rename"
(($(traffic front new_flows) >= counters_before + 4)) || fail "the totals are not those of the pool before"
is "new connections" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
is "moved flows" "$(counter flow_moved)" 0

step "the VIP is given another pool, of the one server that the first download is not on"
first=$(download_server four-1)
other=$((${first#rs} % 3 + 1))
edit_conf "/^pools =/{n; s/.*/& { name = \"back\"; backends = ( { address = \"10.0.0.1$other\"; } ); },/}" \
	"/protocol = \"tcp\"/s/\"front\"/\"back\"/"
matches "a dry run" "$(ctl reload --dry-run)" "vip $vip4:80/tcp pool back, was front \(its connections stay until they end\)"
ctl reload >/dev/null
await 5 "the new pool's server is up" all_up
is "new connections" "$(http 30 "$vip4" | names)" "rs$other"

step "killed and started again, $forwarder goes on with that"
kill_hard "$forwarder"
lab start "$forwarder"
await 10 "shuntd has its forwarder" connected
for i in 1 2 3 4; do downloaded "four-$i" 60; done
is "download's server" "$(download_server four-1)" "$first"
is "new connections" "$(http 30 "$vip4" | names)" "rs$other"
is "moved flows" "$(counter flow_moved)" 0
