#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A wrong configuration is refused whole, in one line that names file, line and setting and says what would be
# right: by shuntd at its start, by "check" and by "reload", which leaves the running set untouched.
#
#   lb alone matters here
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
good=$scratch/good.conf
bad=$scratch/bad.conf
cp "$run/shunt.conf" "$good"

running_set() {
	json show '[.vips[] | [.address, .protocol, .port, .pool]], [.pools[] | [.name, .scheduler, .check, [.backends[] |
		[.address, .weight, .state]]]]' | gojq -c .
}
before=$(running_set)
version=$(json status .snapshot)

# wrong PATTERN SED-EXPRESSION: what all three say of the file that the expression makes of the good one
wrong() {
	sed -E "$2" "$good" >"$bad"
	! cmp -s "$good" "$bad" || fail "the expression changes nothing: $2"
	refused 1 "bad.conf:[0-9]+: .*$1" ctl check "$bad"
	refused 1 "bad.conf:[0-9]+: .*$1" on lb shuntd -c "$bad"
	cp "$bad" "$run/shunt.conf"
	refused 1 "shunt.conf:[0-9]+: .*$1" ctl reload --dry-run
	refused 1 "shunt.conf:[0-9]+: .*$1" ctl reload
	cp "$good" "$run/shunt.conf"
}
first_backend='0,/10\.0\.0\.11/s'

step "syntax"
wrong 'syntax' 's/^pools =/pools/'

step "unknown settings"
wrong 'flow_tabel' 's/^flow_table/flow_tabel/'
wrong 'capcity' 's/capacity/capcity/'
wrong 'wieght' "${first_backend}/\"10.0.0.11\";/\"10.0.0.11\"; wieght = 3;/"
wrong 'intervall' '0,/interval =/s/interval =/intervall =/'
if is_dpdk; then wrong 'idel' 's/idle =/idel =/'; fi

step "wrong types"
wrong 'path' 's/^path = "auto"/path = 1/'
wrong 'capacity' 's/capacity = 1000000/capacity = "many"/'
wrong 'weight' "${first_backend}/\"10.0.0.11\";/\"10.0.0.11\"; weight = \"3\";/"
wrong 'pools' 's/^pools =/pools = 3; poolz =/'
wrong 'interval' '0,/interval = "1s"/s/interval = "1s"/interval = 1/'
wrong 'port' 's/port = 53; pool = "dns";/port = "53"; pool = "dns";/'

step "out of range"
wrong 'path.*"dpdk"' 's/^path = "auto"/path = "xpd"/'
wrong 'capacity' 's/capacity = 1000000/capacity = 3/'
wrong 'weight.*65535' "${first_backend}/\"10.0.0.11\";/\"10.0.0.11\"; weight = 65536;/"
wrong 'weight' "${first_backend}/\"10.0.0.11\";/\"10.0.0.11\"; weight = -1;/"
wrong 'port' 's/port = 53; pool = "dns";/port = 65536; pool = "dns";/'
wrong 'interval' '0,/interval = "1s"/s/interval = "1s"/interval = "1 fortnight"/'
wrong 'rise' '0,/rise = 2/s/rise = 2/rise = 0/'
wrong 'protocol' 's/protocol = "udp"; port = 53; pool = "dns";/protocol = "sctp"; port = 53; pool = "dns";/'
wrong 'scheduler' '0,/name = "web";/s/name = "web";/name = "web"; scheduler = "fair";/'
wrong 'hash_key' 's/capacity = 1000000;/capacity = 1000000; hash_key = "abc";/'
wrong 'timeouts' 's/capacity = 1000000;/capacity = 1000000; timeouts: { syn = "1s"; };/'

step "addresses"
wrong 'address' "${first_backend}/10.0.0.11/10.0.0.1111/"
wrong 'address' "${first_backend}/10.0.0.11/server.example/"
wrong 'mac' "${first_backend}/\"10.0.0.11\";/\"10.0.0.11\"; mac = \"02:00:00:00:00\";/"
wrong '2001:db8:a::99|family|IPv' "${first_backend}/10.0.0.11/2001:db8:a::99/"
wrong '192.0.2.80|family|IPv' 's/pool = "web6"/pool = "web"/'

step "what does not go together"
wrong 'nosuch' '0,/pool = "web";/s/pool = "web";/pool = "nosuch";/'
wrong '192.0.2.80' 's/protocol = "udp"; port = 53; pool = "dns";/protocol = "tcp"; port = 80; pool = "dns";/'
wrong '10.0.0.11' '0,/10\.0\.0\.12/s/10\.0\.0\.12/10.0.0.11/'
wrong 'web' '0,/name = "dns";/s/name = "dns";/name = "web";/'
wrong 'missing|pool' '0,/ pool = "web";/s/ pool = "web";//'

step "checks: what is of another type, or makes no whole"
first_check='0,/type = "tcp"; via = "vip";/s/type = "tcp"; via = "vip";'
wrong 'check\.path: is for http and https checks; this one is tcp' "$first_check/type = \"tcp\"; path = \"\/\";/"
wrong 'check\.sni: is for https checks; this one is http' "$first_check/type = \"http\"; sni = \"a\";/"
wrong 'check\.via: is for .*; this one is exec' "$first_check/type = \"exec\"; command = [ \"\/bin\/true\" ]; via = \"vip\";/"
wrong 'check\.command: is missing' "$first_check/type = \"exec\";/"
wrong 'check\.command: "true" is not the absolute path' "$first_check/type = \"exec\"; command = [ \"true\" ];/"
wrong 'check\.key: is missing: cert is given' "$first_check/type = \"https\"; cert = \"\/etc\/c.pem\";/"

step "checks: what no request could carry"
wrong 'check\.path: "x" is not a path' "$first_check/type = \"http\"; path = \"x\";/"
wrong 'check\.headers: "no" is not a header' "$first_check/type = \"http\"; headers = [ \"A: b\", \"no\" ];/"
wrong 'check\.expect: "2xx" is not a list of statuses.*such as "200-299,304"' "$first_check/type = \"http\"; expect = \"2xx\";/"
wrong 'check\.body: "\(a" is not an extended regular expression: ' "$first_check/type = \"http\"; body = \"(a\";/"
wrong 'check\.ca: "ca.pem" is not an absolute path' "$first_check/type = \"https\"; ca = \"ca.pem\";/"
wrong 'check\.verify: must be true or false, not a string' "$first_check/type = \"https\"; verify = \"yes\";/"
wrong 'check\.send: "xy" is not two hexadecimal digits' "$first_check/type = \"udp\"; send = \"hex:00 xy\";/"
wrong 'check\.query: "a..b" is not a domain name' "$first_check/type = \"dns\"; query = \"a..b\";/"
wrong 'check\.rcode: "FINE" is not a list of NOERROR' "$first_check/type = \"dns\"; rcode = \"FINE\";/"
wrong 'check\.source: 2001:db8::1 is IPv6, but pool "web" is IPv4' "$first_check/type = \"tcp\"; source = \"2001:db8::1\";/"
wrong 'check\.jitter: 51 is out of range: 0 to 50' "$first_check/type = \"tcp\"; jitter = 51;/"

step "pools: what is to serve, and when"
web='0,/name = "web";/s/name = "web";/name = "web";'
wrong 'fallback: there is no pool "spare"' "$web fallback = \"spare\";/"
wrong 'fallback: "web" is this pool itself' "$web fallback = \"web\";/"
wrong 'fallback: pool "web6" is IPv6, but pool "web" is IPv4' "$web fallback = \"web6\";/"
wrong 'panic: 101 is out of range: 0 to 100' "$web panic = 101;/"
wrong 'slow_start: "2h" is out of range' "$web slow_start = \"2h\";/"
wrong 'passive: must be true or false' "$web passive = 1;/"

step "files that can't be read"
refused 1 'nosuch.conf.*No such file' ctl check "$scratch/nosuch.conf"
refused 1 'nosuch.conf.*No such file' on lb shuntd -c "$scratch/nosuch.conf"
refused 1 "$scratch" ctl check "$scratch"
head -c 100000 /dev/urandom >"$bad"
refused 1 'bad.conf' ctl check "$bad"
mv "$run/shunt.conf" "$scratch/away.conf"
refused 1 'shunt.conf.*No such file' ctl reload
mv "$scratch/away.conf" "$run/shunt.conf"

step "none of it touched the running set"
is "running set" "$(running_set)" "$before"
is "snapshot" "$(json status .snapshot)" "$version"

step "reload: nothing to do; then --dry-run tells what the reload then does"
is "changes" "$(json reload '.changes | length')" 0
sed -i -E "0,/10\.0\.0\.12\"/s/\"10\.0\.0\.12\"/\"10.0.0.12\"; weight = 7/; /port = 53; pool = \"dns6\"/d; s/(pool = \"web6\"; }),/\1/" \
	"$run/shunt.conf"
told=$(json reload --dry-run '.changes')
matches "changes" "$told" '10\.0\.0\.12'
matches "changes" "$told" '\[?2001:db8::80\]?:53'
is "running set" "$(running_set)" "$before"
is "what the reload did" "$(json reload '.changes')" "$told"
is "weight" "$(json show '.pools[] | select(.name == "web") | .backends[1].weight')" 7
is "VIPs" "$(json show '.vips | length')" 3
is "UDP over the VIP that stayed" "$(udp 40 "$vip4" | names)" "rs1 rs2 rs3"

step "a reload says which setting of a pool and its check changes; a pool made by command is saved with all of it"
sed -i -E "$web panic = 40; fallback = \"dns\"; slow_start = \"5s\"; passive = false;/; ${first_check}/type = \"tcp\"; jitter = 9;/" "$run/shunt.conf"
told=$(json reload --dry-run '.changes[]')
matches "changes" "$told" 'pool web panic 40, was 0'
matches "changes" "$told" 'pool web fallback dns, was none'
matches "changes" "$told" 'pool web slow_start 5s, was 0s'
matches "changes" "$told" 'pool web passive false, was true'
matches "changes" "$told" 'pool web check.jitter 9, was 5'
is "what the reload did" "$(json reload '.changes[]')" "$told"
refused 1 'pool "dns" is (in use by VIP|the fallback of)' ctl pool del dns
refused 2 'check.path: is for http and https checks; this one is udp' ctl pool add made --check udp --path /
refused 1 'there is no pool "nosuch"' ctl pool add made --fallback nosuch
ctl pool add made --check https --header 'A: b' --header 'C: "d"' --verify --fallback web --panic 30 --slow-start 2m --jitter 0 --body '^o\d$'
ctl save "$scratch/made.conf"
for wanted in 'name = "made"' 'headers = \[ "A: b", "C: \\"d\\"" \]' 'verify = true' 'fallback = "web"' 'panic = 30' \
	'slow_start = "2m"' 'jitter = 0' 'body = "\^o\\\\d\$"'; do
	matches "the saved file" "$(<"$scratch/made.conf")" "$wanted"
done
cp "$scratch/made.conf" "$run/shunt.conf"
is "changes" "$(json reload '.changes | length')" 0
ctl pool del made
ctl save "$run/shunt.conf"

step "drains and disables stay through a reload, other changes by command do not"
ctl disable 10.0.0.11 --pool web
ctl backend set web 10.0.0.13 --weight 3
matches "changes" "$(json reload '.changes')" '10\.0\.0\.13'
is "state" "$(backend_state web 10.0.0.11)" disabled
is "weight" "$(json show '.pools[] | select(.name == "web") | .backends[2].weight')" 100
ctl enable 10.0.0.11

step "what is saved is a right configuration that changes nothing"
ctl save "$scratch/saved.conf"
ctl check "$scratch/saved.conf" >/dev/null
cp "$scratch/saved.conf" "$run/shunt.conf"
is "changes" "$(json reload '.changes | length')" 0

step "the configuration that is installed, and each example, is right"
for file in "$repo"/conf/shunt.conf "$repo"/conf/examples/*.conf; do
	ctl check "$file" >/dev/null
done
