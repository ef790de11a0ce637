#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A pool is upgraded server by server (scripts/rolling-upgrade) while clients connect and download: no request fails
# and no download is cut, also when one server does not come back, the upgrade stops, goes on later, and shuntd is
# killed in the middle.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3: nginx, which the upgrade restarts
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
# What a client has closed is forgotten soon, so that a drain takes seconds.
edit_conf 's|^flow_table: .*|flow_table: { capacity = 1000000; timeouts: { fin = "4s"; reset = "4s"; syn = "4s"; }; };|'
lab start
await 15 "every backend is up" all_up

# The upgrade of a server: its nginx ends and begins. Of rs2 the new one does not begin; and one may take its time.
cat >"$scratch/upgrade-cmd" <<END
#!/usr/bin/env bash
. "$repo/scripts/lib.sh"
host=rs\${1##*.1}
echo "\$host" >>"$scratch/upgraded"
spawned_end "$run/pid/\$host-nginx" QUIT
[[ \$host != rs2 || -e "$scratch/repaired" ]] || exit 0
exec "$scratch/nginx-start" "\$host"
END
cat >"$scratch/nginx-start" <<END
#!/usr/bin/env bash
. "$repo/scripts/lib.sh"
spawn "$run/pid/\$1-nginx" "$run/log/\$1-nginx.log" \\
	ip netns exec "$prefix\$1" nginx -c "$run/\$1/nginx.conf" -p "$run/\$1" -e stderr
END
chmod +x "$scratch/upgrade-cmd" "$scratch/nginx-start"

upgrade() { # STATUS ARG...
	local status=0

	"$repo/scripts/rolling-upgrade" --socket "$run/shuntd.sock" --journal "$scratch/journal" --pool web "${@:2}" \
		>"$scratch/said" 2>&1 || status=$?
	sed 's/^/    /' "$scratch/said"
	is "status of the upgrade" "$status" "$1"
}
said() { grep -qE "$1" "$scratch/said" || fail "the upgrade does not say: $1"; }

step "a command that fails: its server stays drained, the others are left alone, and who is out of another pool"
ctl disable 10.0.0.12 --pool dns
upgrade 1 -- false
said '10\.0\.0\.12 is disabled already in pool dns: left as it is$'
ctl enable 10.0.0.12 --pool dns
is "rs1" "$(backend_state web 10.0.0.11)" drained
is "rs2" "$(backend_state web 10.0.0.12)" up
said '10\.0\.0\.11  NOT DONE: the command ended with status 1; the server stays drained$'
said '10\.0\.0\.11  drained, the command failed$'
ctl enable 10.0.0.11
await 5 "rs1 is up" state_is web 10.0.0.11 up

step "Ctrl-C says what is in what state"
background upgrade "$repo/scripts/rolling-upgrade" --socket "$run/shuntd.sock" --journal "$scratch/journal" --pool web \
	--anew -- sh -c "exec sleep 61.$$" sh
await 15 "the command runs" grep -q "running: 'sh'" "$scratch/upgrade"
kill -TERM "$(pid_of test-upgrade)"
await 5 "it has ended" background_gone upgrade
cp "$scratch/upgrade" "$scratch/said"
said '10\.0\.0\.11  drained, the command was interrupted$'
said 'to go on: .*--resume$'
! pgrep -fx "sleep 61\\.$$" >/dev/null || fail "the command goes on"
ctl enable 10.0.0.11
await 5 "rs1 is up" state_is web 10.0.0.11 up

step "two hundred connections a second and four downloads of three seconds at a time"
background clients ip netns exec "${prefix}client" "$here/_clients.py" "$vip4" 200 4 2800k
await 5 "clients have begun" grep -q begun "$scratch/clients"

step "an upgrade of which rs2 does not come back"
upgrade 4 --anew --timeout 2s -- "$scratch/upgrade-cmd"
is "upgraded" "$(xargs <"$scratch/upgraded")" "rs1 rs2"
said '10\.0\.0\.12  NOT BACK after 2 s: .*pool web: down'
said '10\.0\.0\.11  done$'
said '10\.0\.0\.12  upgraded and enabled, not up yet$'
said '10\.0\.0\.13  untouched$'
said '1 of 3 servers done$'
is "rs1" "$(backend_state web 10.0.0.11)" up
is "rs2" "$(backend_state web 10.0.0.12)" down
is "rs3" "$(backend_state web 10.0.0.13)" up

step "it is not forgotten"
refused 1 'was stopped: --resume goes on with it' \
	"$repo/scripts/rolling-upgrade" --socket "$run/shuntd.sock" --journal "$scratch/journal" --pool web -- true

step "rs2 is repaired, and it goes on where it was; meanwhile shuntd is killed"
touch "$scratch/repaired"
"$scratch/nginx-start" rs2
(
	until_true 15 state_is web 10.0.0.13 draining
	kill_hard shuntd
	lab start shuntd
) &
upgrade 0 --resume
wait $!
is "upgraded" "$(xargs <"$scratch/upgraded")" "rs1 rs2 rs3"
said '3 of 3 servers done$'
await 5 "every backend is up" all_up

step "no client has noticed anything"
kill -TERM "$(pid_of test-clients)"
await 15 "the clients have ended" background_gone clients
step "$(tail -n 1 "$scratch/clients")"
is "failed" "$(tail -n 1 "$scratch/clients" | gojq -c '[.requests_failed, .downloads_failed]')" "[0,0]"
(($(tail -n 1 "$scratch/clients" | gojq '.requests')>2000)) || fail "that was no load"

await 5 "verdicts add up to what was received" accounted_for verdicts
