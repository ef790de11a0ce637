#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Checks of every type, of real servers, through the VIP and by their own addresses: each sees what it is for and nothing
# else, takes the server down with the server's own words, and brings it back.
#
#   client ── router ── lan ──┬── lb    a pool for each check below
#                             └── rs1, rs2, rs3: HTTP on port 80, HTTPS on 443, UDP on 53, a name server on 5353
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up

# --- what the servers have beside what the lab gives them -----------------------------------------------------

# One authority; a certificate that holds, and one that does not any more.
pki=$scratch/pki
mkdir "$pki"
(
	cd "$pki"
	key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
	certificate() { # NAME DAYS
		key "$1"
		openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$2" \
			-extfile <(echo subjectAltName=DNS:www.example) -out "$1.pem"
	}
	key ca
	openssl req -x509 -new -key ca.key -subj /CN=ca -days 30 -out ca.pem
	certificate good 30
	certificate expired -1
) >"$scratch/pki.log" 2>&1 || fail "no certificates: $(<"$scratch/pki.log")"

https_up() { # HOST CERTIFICATE
	local dir=$run/$1

	cat >"$dir/https.conf" <<-END
		user root;
		worker_processes 1;
		daemon off;
		pid $dir/https.pid;
		error_log stderr;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			server {
				listen 443 ssl;
				server_name www.example;
				ssl_certificate $pki/$2.pem;
				ssl_certificate_key $pki/$2.key;
				location / { return 200 "fine\n"; }
			}
		}
	END
	spawn "$run/pid/$1-https" "$run/log/$1-https.log" \
		ip netns exec "$prefix$1" nginx -c "$dir/https.conf" -p "$dir" -e stderr
}

udp_up() {
	spawn "$run/pid/$1-udp" "$run/log/$1-udp.log" ip netns exec "$prefix$1" "$repo/scripts/lab-udp" serve "$1" 53
}

# Whoever reads it meanwhile finds one or the other.
rcode_is() { # HOST RCODE
	echo "$2" >"$scratch/rcode"
	mv "$scratch/rcode" "$scratch/$1.rcode"
}

for host in rs1 rs2 rs3; do
	echo "status: ok" >"$run/$host/www/status"
	rcode_is "$host" 0
	spawn "$run/pid/$host-names" "$run/log/$host-names.log" \
		ip netns exec "$prefix$host" "$here/_name_server.py" 5353 "$scratch/$host.rcode"
	https_up "$host" good
done

# For the commands: each server's state is a script of its own.
mkdir -m 755 "$scratch/exec"
cat >"$scratch/exec/check" <<-END
	#!/bin/sh
	exec /bin/sh "$scratch/exec/\$SHUNT_POOL-\$SHUNT_BACKEND"
END
chmod 755 "$scratch/exec/check"
command_is() { # POOL ADDRESS SCRIPT
	echo "$3" >"$scratch/exec/new"
	chmod 644 "$scratch/exec/new"
	mv "$scratch/exec/new" "$scratch/exec/$1-$2"
}
for i in 1 2 3; do
	command_is exec "10.0.0.1$i" "exit 0"
	command_is weight "10.0.0.1$i" "exit 0"
done

# --- the pools ------------------------------------------------------------------------------------------------

all4="( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; }, { address = \"10.0.0.13\"; } )"
all6="( { address = \"2001:db8:a::11\"; }, { address = \"2001:db8:a::12\"; }, { address = \"2001:db8:a::13\"; } )"
timing='interval = "250ms"; timeout = "500ms"; rise = 2; fall = 2;'
pools='' vips=''
pool() { # NAME ADDRESS PORT PROTOCOL CHECK
	pools+="${pools:+, }{ name = \"$1\"; check: { $5 $timing }; backends = $([[ $2 == *:* ]] && echo "$all6" || echo "$all4"); }"$'\n'
	vips+="${vips:+, }{ address = \"$2\"; port = $3; protocol = \"$4\"; pool = \"$1\"; }"$'\n'
}
body='path = "/status"; body = "^status: (ok|fine)$";'
pool http "$vip4" 80 tcp "type = \"http\"; via = \"vip\"; $body"
pool http6 "$vip6" 80 tcp "type = \"http\"; via = \"vip\"; host = \"gone.invalid\"; $body"
pool httpb "$vip4" 8080 tcp "type = \"http\"; via = \"backend\"; port = 80; method = \"HEAD\"; path = \"/status\"; expect = \"200,304\";"
pool https "$vip4" 443 tcp "type = \"https\"; via = \"vip\"; verify = true; ca = \"$pki/ca.pem\"; host = \"www.example\"; body = \"fine\";"
pool httpsb "$vip4" 8443 tcp "type = \"https\"; via = \"backend\"; port = 443; source = \"10.0.0.2\";"
pool udp "$vip4" 53 udp 'type = "udp"; via = "vip"; send = "are you there"; receive = "are you there";'
pool udpb "$vip6" 54 udp 'type = "udp"; via = "backend"; port = 53; send = "hex:01 ff"; receive = "hex:72 73 ?? 20 01 ff";'
pool dns "$vip4" 5353 udp 'type = "dns"; via = "vip"; query = "www.example"; record = "A"; rcode = "NOERROR,NXDOMAIN";'
pool dnsb "$vip6" 5354 udp 'type = "dns"; via = "backend"; port = 5353;'
pool ping "$vip4" 7 tcp 'type = "ping"; via = "vip";'
pool ping6 "$vip6" 7 tcp 'type = "ping"; via = "backend";'
pool exec "$vip4" 9 tcp "type = \"exec\"; command = [ \"$scratch/exec/check\" ];"
pool weight "$vip4" 10 tcp "type = \"exec\"; command = [ \"$scratch/exec/check\" ]; dynamic_weight = true;"
{
	sed '/^pools =/,$d' "$run/shunt.conf"
	printf 'pools = ( %s );\nvips = ( %s );\n' "$pools" "$vips"
} >"$scratch/conf"
cp "$scratch/conf" "$run/shunt.conf"

backend() { json show ".pools[] | select(.name == \"$1\") | .backends[] | select(.address | endswith(\"$2\")) | .$3"; }
# goes POOL STATE [REASON]: rs2 there, and nobody else
is_state() { [[ $(backend "$1" 12 state) == "$2" ]]; }
goes() {
	await 10 "rs2 is $2 in $1" is_state "$1" "$2"
	[[ $# -lt 3 ]] || matches "why rs2 is down in $1" "$(backend "$1" 12 check_error)" "$3"
	is "rs1 in $1" "$(backend "$1" 11 state)" up
	is "rs3 in $1" "$(backend "$1" 13 state)" up
}
down_only_in() { # POOL...
	is "where rs2 is down" "$(json show '.pools[] | select(.backends[1].state == "down") | .name' | sort | xargs)" \
		"$(printf '%s\n' "$@" | sort | xargs)"
}

step "every server is up by every check"
lab start
await 20 "every backend is up" all_up

step "rs2 says that it is not well: its body, and its status"
echo "status: failing" >"$run/rs2/www/status"
goes http down "the body does not match"
goes http6 down "the body does not match"
down_only_in http http6
rm "$run/rs2/www/status"
goes httpb down "HTTP status 404"
echo "status: fine" >"$run/rs2/www/status"
for pool in http http6 httpb; do goes "$pool" up; done

step "its certificate has expired: seen where it is verified"
spawned_end "$run/pid/rs2-https"
goes httpsb down "Connection refused"
https_up rs2 expired
goes httpsb up
goes https down "certificate has expired"
down_only_in https
spawned_end "$run/pid/rs2-https"
https_up rs2 good
goes https up

step "its UDP service is gone; its name server fails"
spawned_end "$run/pid/rs2-udp"
rcode_is rs2 2
goes udp down "Connection refused"
goes udpb down "Connection refused"
goes dns down "answered with SERVFAIL"
goes dnsb down "answered with SERVFAIL"
down_only_in udp udpb dns dnsb
udp_up rs2
rcode_is rs2 3
goes dns up
is "what dnsb says of NXDOMAIN" "$(backend dnsb 12 state)" down
rcode_is rs2 0
for pool in udp udpb dnsb; do goes "$pool" up; done

step "it answers no ping"
on rs2 sysctl -qw net.ipv4.icmp_echo_ignore_all=1 net.ipv6.icmp.echo_ignore_all=1
goes ping down "no answer within 500ms"
goes ping6 down "no answer within 500ms"
down_only_in ping ping6
on rs2 sysctl -qw net.ipv4.icmp_echo_ignore_all=0 net.ipv6.icmp.echo_ignore_all=0
goes ping up
goes ping6 up

step "the command has its own opinion, as nobody; it hangs; it floods; its weight is taken"
# shellcheck disable=SC2016 # the command asks
command_is exec 10.0.0.12 'echo "no disk left, says $(id -un)"; exit 3'
goes exec down "no disk left, says nobody \(exit status 3\)"
command_is exec 10.0.0.12 'exit 0'
goes exec up
# As no other test, which may run beside this one
command_is exec 10.0.0.12 "sleep 71.$$ & exec sleep 71.$$"
goes exec down "killed: not done within 500ms"
command_is exec 10.0.0.12 'exit 0'
goes exec up
command_is exec 10.0.0.12 'exec yes'
goes exec down "killed: more than 1024 KiB of output"
command_is exec 10.0.0.12 'exit 0'
goes exec up
! pgrep -x -f "sleep 71\\.$$" >/dev/null || fail "a command is still there"
down_only_in
weight_is() { [[ $(backend weight 12 check_weight) == "$1" ]]; }
command_is weight 10.0.0.12 'exit 52'
await 5 "the check's weight is 50" weight_is 50
is "the state of rs2 in weight" "$(backend weight 12 state)" up
command_is weight 10.0.0.12 'exit 0'
await 5 "the next one says nothing" is_state weight up
is "the weight then, as keepalived has it" "$(backend weight 12 check_weight)" 50

step "a check that can't be made is no verdict"
unmade() { [[ $(backend exec 12 check_error) == *"$1"* ]]; }
mv "$scratch/exec/check" "$scratch/exec/gone"
await 5 "it is said that checks can't be made" unmade "not checked: "
matches "why" "$(backend exec 12 check_error)" "No such file or directory"
is "the state of rs2 in exec" "$(backend exec 12 state)" up
mv "$scratch/exec/gone" "$scratch/exec/check"
await 5 "they can again" unmade ""
down_only_in

# But for what the kernel refuses of connections that are no more, for instance an end that came twice: without our mark.
step "none of this was traffic of a client's"
is "flows of VIPs" "$(json show --stats '[.vips[].new_flows] | add')" 0
(($(json show --stats '[.vips[].packets] | add') < 10)) ||
	fail "VIPs with packets: $(json show --stats '.vips[] | select(.packets > 0) | "\(.address):\(.port) \(.packets)"')"
await 5 "every backend is up" all_up
