#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# "meson install" puts everything in its place, and what is installed runs from there; systemd has nothing to say
# against the units and is told when the daemons are ready.
#
#   lb, with the programs of a DESTDIR
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

root=$scratch/root
step "meson install into an empty folder"
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$scratch/install" 2>&1 || fail "$(<"$scratch/install")"
prefix_dir=$root$(meson introspect --buildoptions "$build" | gojq -r '.[] | select(.name == "prefix") | .value')
dataplane=$(find "$root" -name shunt-dataplane -type f -perm -u+x)
shuntd=$(find "$root" -name shuntd -type f -perm -u+x)
shuntctl=$(find "$root" -name shuntctl -type f -perm -u+x)
for file in "$dataplane" "$shuntd" "$shuntctl" "$root/etc/shunt/shunt.conf" \
	"$prefix_dir/lib/systemd/system/shuntd.service" "$prefix_dir/lib/systemd/system/shunt-dataplane.service" \
	"$prefix_dir/lib/sysusers.d/shunt.conf" "$prefix_dir/share/doc/shunt/examples/minimal.conf" \
	"$prefix_dir/share/bash-completion/completions/shuntctl" "$prefix_dir/share/shunt/realserver"; do
	[[ -s $file ]] || fail "not there: ${file#"$root"}"
done
for page in shunt-dataplane shuntd shuntctl; do
	[[ -n $(find "$root" -name "$page.8*") ]] || fail "no manual page $page(8)"
done

step "an operator's configuration is left alone by the next install"
echo "# mine" >"$root/etc/shunt/shunt.conf"
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >/dev/null 2>&1
is "shunt.conf" "$(<"$root/etc/shunt/shunt.conf")" "# mine"

step "units: systemd-analyze verify"
if command -v systemd-analyze >/dev/null; then
	mkdir "$scratch/units"
	for unit in shuntd shunt-dataplane; do
		matches "programs named in the unit" "$(grep '^ExecStart=' "$prefix_dir/lib/systemd/system/$unit.service")" \
			"^ExecStart=$(find "$root" -name "$unit" -type f -perm -u+x -printf '/%P') "
		# The programs it names are in the DESTDIR, not on this system.
		sed -E "s|^(Exec[A-Za-z]+=)/|\1$root/|" "$prefix_dir/lib/systemd/system/$unit.service" >"$scratch/units/$unit.service"
	done
	systemd-analyze verify --man=no "$scratch"/units/*.service >"$scratch/verify" 2>&1 || true
	! grep -E "$scratch/units|shunt" "$scratch/verify" || fail "systemd has something to say"
fi

step "what is installed runs, and tells the service manager that it is ready and that it stops"
# As far as the lab knows this is a build folder.
export SHUNT_BUILD=$scratch/programs
mkdir -p "$SHUNT_BUILD/dataplane" "$SHUNT_BUILD/control/daemon" "$SHUNT_BUILD/control/cli"
ln -s "$shuntctl" "$SHUNT_BUILD/control/cli/"
# The daemons get the rights that their units leave them, and no more.
as_unit() { # UNIT PROGRAM WHERE
	local rights

	rights=$(sed -n 's/^CapabilityBoundingSet=//p' "$prefix_dir/lib/systemd/system/$1.service" | sed 's/CAP_/+/g; s/ /,/g')
	[[ $rights == +* ]] || fail "no CapabilityBoundingSet in $1.service"
	printf '#!/bin/sh\nexec setpriv --bounding-set=-all,%s --inh-caps=-all --no-new-privs "%s" "$@"\n' "${rights,,}" "$2" >"$3"
	chmod 755 "$3"
}
as_unit shunt-dataplane "$dataplane" "$SHUNT_BUILD/dataplane/shunt-dataplane"
as_unit shuntd "$shuntd" "$SHUNT_BUILD/control/daemon/shuntd"
PATH=$SHUNT_BUILD/dataplane:$SHUNT_BUILD/control/daemon:$SHUNT_BUILD/control/cli:$PATH
lab up
mapfile -t daemons < <(if is_dpdk; then echo dataplane; fi; echo shuntd)
cat >"$scratch/notify.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(sys.argv[2], s.recv(4096).decode().replace("\n", " "), flush=True)
END
for program in "${daemons[@]}"; do
	background "notify-$program" /usr/bin/python3 "$scratch/notify.py" "$scratch/$program.notify" "$program"
	await 5 "the service manager's socket" test -S "$scratch/$program.notify"
	NOTIFY_SOCKET=$scratch/$program.notify lab start "$program"
	await 10 "$program is ready" grep -q 'READY=1' "$scratch/notify-$program"
done
[[ /proc/$(pid_of shuntd)/exe -ef $shuntd ]] || fail "another shuntd runs"
is_xdp || [[ /proc/$(pid_of dataplane)/exe -ef $dataplane ]] || fail "another shunt-dataplane runs"
await 10 "every backend is up" all_up
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
is "UDP" "$(udp 30 "$vip6" | names)" "rs1 rs2 rs3"
ctl disable 10.0.0.12
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs3"
# Again, as after an upgrade: with these rights it finds again what it left.
lab stop shuntd
lab start shuntd
await 10 "every backend that is not disabled is up" state_is web 10.0.0.13 up
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs3"
! grep -iE 'permi|warning: .*denied' "$run"/log/*.log || fail "a right is missing"
lab stop
for program in "${daemons[@]}"; do
	await 5 "$program said that it stops" grep -q 'STOPPING=1' "$scratch/notify-$program"
done
