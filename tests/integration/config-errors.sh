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
		[.address, .weight, .state]]]]' | jq -cS .
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

step "what is not in this version says so"
for type in http https udp dns ping exec; do
	wrong "\"$type\".*not in this version.*\"tcp\"" "0,/type = \"tcp\"/s/type = \"tcp\"/type = \"$type\"/"
done

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
