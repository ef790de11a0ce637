#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What is to be had over HTTP: metrics that agree with shuntctl, the state of the load balancer, a status page; and
# nothing a client does there disturbs anything.
#
#   lb: curl ── 127.0.0.1:9190 ── shuntd
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
at=http://127.0.0.1:9190
get() { on lb curl -sS -m 20 "$@"; }

step "traffic, and the same figures from /metrics and shuntctl"
http 30 "$vip4" >/dev/null
get -f "$at/metrics" >"$scratch/metrics"
! grep -vE '^(# (HELP|TYPE) shunt_[a-z0-9_]+ .+|shunt_[a-z0-9_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+)$' \
	"$scratch/metrics" || fail "no line of Prometheus's format"
is "series that come twice" "$(grep -v '^#' "$scratch/metrics" | sed 's/ [^ ]*$//' | sort | uniq -d)" ""
is "new flows of web's backends" \
	"$(awk '/^shunt_backend_new_flows_total\{.*pool="web"/ { n += $2 } END { print n }' "$scratch/metrics")" "$(traffic web new_flows)"
(($(grep -cE '^shunt_backend_up\{.*\} 1$' "$scratch/metrics") == 12)) || fail "shunt_backend_up"
is "backends that came up, as shuntctl has them" \
	"$(sed -n 's/^shunt_events_total{kind="backend_up"} //p' "$scratch/metrics")" \
	"$(ctl --json events --limit 1024 | gojq -s 'map(select(.kind == "backend_up")) | length')"
for gauge in suspect draining disabled returning; do
	is "shunt_backend_$gauge" "$(grep -cE "^shunt_backend_$gauge\{.*\} 0$" "$scratch/metrics")" 12
done
is "serving" "$(sed -n 's/^shunt_pool_backends_serving{pool="web"} //p' "$scratch/metrics")" 3

step "/healthz says ok"
is "status" "$(get -o /dev/null -w '%{http_code}' "$at/healthz")" 200
if is_dpdk; then
	step "... and that it is not when the dataplane is gone"
	lab stop dataplane
	unwell() { [[ $(get -o /dev/null -w '%{http_code}' "$at/healthz") == 503 ]]; }
	await 5 "it is not well" unwell
	lab start dataplane
	well() { ! unwell; }
	await 5 "it is well again" well
fi

step "the status page, and what there is not"
get -f "$at/" >"$scratch/page"
grep -q '<td>10.0.0.12</td>' "$scratch/page" || fail "the page does not have 10.0.0.12"
grep -q '<td>backend web 10.0.0.12: up' "$scratch/page" || fail "the page does not have what happened"
is "another page" "$(get -o /dev/null -w '%{http_code}' "$at/../../etc/passwd" --path-as-is)" 404
matches "status of a POST" "$(get -o /dev/null -w '%{http_code}' -d x=1 "$at/metrics")" '^4'

step "random bytes, a request that never ends, a hundred connections: it goes on"
pid=$(pid_of shuntd)
for _ in 1 2 3 4 5 6 7 8 9 10; do head -c 5000 /dev/urandom | on lb socat -t 0.2 - TCP4:127.0.0.1:9190 >/dev/null 2>&1 || true; done
# shellcheck disable=SC2016
background idle ip netns exec "${prefix}lb" sh -c 'for i in $(seq 100); do socat -u EXEC:"sleep 5" TCP4:127.0.0.1:9190 & done; wait'
(yes 'X: y' || true) | head -c 20M | { printf 'GET / HTTP/1.1\r\n'; cat; } | on lb socat -t 0.2 - TCP4:127.0.0.1:9190 >/dev/null 2>&1 || true
is "status" "$(get -o /dev/null -w '%{http_code}' "$at/healthz")" 200
is "process" "$(pid_of shuntd)" "$pid"
ctl status >/dev/null
