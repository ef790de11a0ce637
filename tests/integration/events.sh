#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What happens is told once each, with its reason: in the log, to "shuntctl events", and to a hook. Who follows
# goes on through a restart of shuntd; a hook that floods or hangs harms nobody.
#
#   client ── router ── lan ──┬── lb    shuntd with a hook; shuntctl events --follow
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

# The hook's body; it is read anew at each run.
hook() {
	printf '#!/bin/sh\n%s\n' "$1" >"$scratch/hook.new"
	chmod 755 "$scratch/hook.new"
	mv "$scratch/hook.new" "$scratch/hook"
}

# told KIND POOL ADDR [TEXT]: the newest event of this kind and object; its text matches
told() {
	local text

	# shellcheck disable=SC2016 # variables of the filter's
	text=$(ctl --json events --limit 1024 | gojq -rs --arg kind "$1" --arg pool "$2" --arg address "$3" \
		'map(select(.kind == $kind and (.pool // "") == $pool and (.backend // "") == $address)) | last.text') &&
		[[ $text != null && $text =~ ${4-} ]]
}
logged() { grep -q "$1" "$run/log/shuntd.log"; }
hooked() { grep -q "$1" "$scratch/hooked"; }
followed() { grep -q "$1" "$scratch/follow"; }

now_ms() { date +%s%3N; }

# The server's web server is there, or is not.
web_stops() { spawned_end "$run/pid/$1-nginx"; }
web_starts() {
	spawn "$run/pid/$1-nginx" "$run/log/$1-nginx.log" \
		ip netns exec "$prefix$1" nginx -c "$run/$1/nginx.conf" -p "$run/$1" -e stderr
}

lab up
hook "echo \"\$1|\$2|\$3|\$4\" >>$scratch/hooked"
edit_conf "s|( *)http = \"127|\1hook = \"$scratch/hook\";\n&|" \
	's/interval = "1s"; timeout = "500ms"/interval = "200ms"; timeout = "150ms"/' \
	's/name = "web";/& panic = 60;/' 's|type = "tcp"; via = "vip"|type = "http"; path = "/healthz"; via = "vip"|'
for i in 1 2 3; do echo well >"$run/rs$i/www/healthz"; done
lab start
await 10 "every backend is up" all_up
background follow ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" events --follow --pool web
await 5 "what was before is shown" followed 'backend web 10.0.0.13: up'

step "a server is not well: down, with what its check saw, in the log, among the events, and to the hook"
rm "$run/rs3/www/healthz"
await 5 "rs3 is down" told backend_down web 10.0.0.13 'HTTP status 404'
await 5 "it is logged" logged 'backend web 10\.0\.0\.13: down: .*HTTP status 404'
await 5 "the hook is called" hooked '^backend_down|web|10\.0\.0\.13|.*HTTP status 404'
await 5 "who follows hears of it" followed ' backend web 10\.0\.0\.13: down: .*HTTP status 404'
! followed 'dns' || fail "who follows pool web hears of others"

step "another stops, and fewer are left than the pool has to have: panic; they come back: it is over"
web_stops rs2
await 5 "rs2 is down" told backend_down web 10.0.0.12 refused
await 5 "panic" told pool_panic web ''
await 5 "the hook is called" hooked '^pool_panic|web||'
web_starts rs2
echo well >"$run/rs3/www/healthz"
for i in 2 3; do await 5 "rs$i is up" told backend_up web "10.0.0.1$i"; done
await 5 "the panic is over" told pool_panic_over web ''
await 5 "all are up" all_up

step "by command: drain, enable, disable, enable"
ctl drain 10.0.0.12 --pool web
await 5 "it drains" told drain_begun web 10.0.0.12
await 20 "it is drained" told drain_done web 10.0.0.12
ctl enable 10.0.0.12
await 5 "it is up again" told backend_up web 10.0.0.12 'back in'
ctl disable 10.0.0.11 --pool dns
ctl enable 10.0.0.11 --pool dns
told enabled web 10.0.0.12 || fail "no event of the enable"
told disabled dns 10.0.0.11 || fail "no event of the disable"
ctl reload
told reload '' '' 'nothing has changed' || fail "no event of the reload"
await 5 "all are up" all_up

step "the hook was called for each event there was, in their order, and with what they say"
all_events() { ctl --json events --limit 1024 | gojq -r '[.kind, .pool // "", .backend // "", .text] | join("|")'; }
as_the_events() { diff <(all_events) "$scratch/hooked" >"$scratch/difference"; }
until_true 5 as_the_events || fail "events, and the hook's calls: $(<"$scratch/difference")"
is "numbers without a gap" "$(ctl --json events --limit 1024 | gojq -s 'map(.sequence) == [range(1; length + 1)]')" true

step "a hook that floods is ended"
hook 'yes'
ctl disable 10.0.0.11 --pool dns
await 10 "it is ended" logged 'hook hook, run for disabled dns 10\.0\.0\.11: more output than it may have'

step "one that hangs holds up nobody, and ends with shuntd"
hook "echo \$\$ >$scratch/hanging; exec sleep 60"
ctl enable 10.0.0.11 --pool dns
await 5 "it hangs" test -s "$scratch/hanging"
before=$(now_ms)
ctl drain 10.0.0.13 --pool dns
ctl enable 10.0.0.13 --pool dns
is "HTTP" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"
# The hook would have been ended after ten seconds.
(($(now_ms) - before < 9000)) || fail "it took $(($(now_ms) - before)) ms"
lab stop shuntd
! kill -0 "$(<"$scratch/hanging")" 2>/dev/null || fail "the hook is still there"

step "shuntd is killed and started: who follows goes on, and says so"
hook true
await 5 "it notices" followed 'shuntd is away: waiting for it'
lab start shuntd
kill_hard shuntd
lab start shuntd
await 10 "it goes on" followed 'shuntd was restarted: these are its events since'
await 10 "all are up" all_up
ctl disable 10.0.0.12 --pool web
await 5 "what happens now is shown" followed 'backend web 10\.0\.0\.12: disabled'
! background_gone follow || fail "who followed has left"
