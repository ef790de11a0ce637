# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the scripts here share: where things are, how they speak, and processes that can be ended safely
# later. Sourced, never run.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SHUNT_BUILD:-$repo/build}

# Programs come from the build folder when it has them, else from where they were installed.
PATH=$build/dataplane:$build/control/daemon:$build/control/cli:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
	bold='' green='' red='' dim='' plain=''
fi
: "$bold" "$green" "$red" "$dim" "$plain"

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
	warn "$@"
	exit 1
}

need_root() {
	((EUID == 0)) || die "must be run as root: sudo $0"
}

# Run a command as the owner of the clone, so that "sudo scripts/..." leaves no files of root's in it.
as_owner() {
	local owner place=$repo

	[[ -e $build ]] && place=$build
	owner=$(stat -c %U "$place")
	if ((EUID == 0)) && [[ $owner != root && $owner != UNKNOWN ]]; then
		runuser -u "$owner" -- "$@"
	else
		"$@"
	fi
}

# When a process began, in clock ticks since boot: tells it from a later one with the same number.
process_start() {
	local stat

	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	read -ra stat <<<"${stat##*) }"
	[[ ${stat[0]} != Z ]] && echo "${stat[19]}"
}

# Run a command in the background that notes its number and start in FILE before it becomes that command,
# so that there is no moment in which it runs unnoted. Output goes to LOG.
spawn() { # FILE LOG CMD...
	local file=$1 log=$2

	shift 2
	rm -f "$file"
	# shellcheck disable=SC2016
	setsid bash -c '
		file=$1; shift
		stat=$(<"/proc/$$/stat"); fields=(${stat##*) })
		echo "$$ ${fields[19]}" >"$file.new" && mv "$file.new" "$file"
		for fd in /proc/$$/fd/*; do # locks held by the caller are not for this process
			fd=${fd##*/}
			((fd > 2 && fd != 255)) && exec {fd}>&-
		done
		exec "$@"' spawn "$file" "$@" >>"$log" 2>&1 </dev/null &
	disown
	until_true 5 test -e "$file"
}

# The number in a file written by spawn, if that very process still runs.
spawned_pid() { # FILE
	local pid start

	{ read -r pid start <"$1"; } 2>/dev/null || return 1
	[[ $(process_start "$pid") == "$start" ]] && echo "$pid"
}

# End the process of a file written by spawn with its children, asking first, and forget it. It leads a process
# group of its own, which is what is asked.
spawned_end() { # FILE [SIGNAL]
	local pid

	if pid=$(spawned_pid "$1"); then
		kill -"${2:-TERM}" -- "-$pid" 2>/dev/null || true
		until_true 5 spawned_gone "$1" || kill -KILL -- "-$pid" 2>/dev/null || true
		until_true 5 spawned_gone "$1" || true
	fi
	rm -f "$1"
}

spawned_gone() { ! spawned_pid "$1" >/dev/null; }

# Try a command until it succeeds, at most SECONDS long; 1 if it never does.
until_true() { # SECONDS CMD...
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))

	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/[.,]/} < end)) || return 1
		sleep 0.03
	done
}

# Configure FOLDER with these meson options, if it is not yet, and compile it, or only these targets; what they say
# goes to LOG. A run that was interrupted may have left meson's notes without what is made of them.
configure() { # FOLDER LOG OPTION...
	local folder=$1 log=$2 again=

	shift 2
	! is_configured "$folder" "$@" || return 0
	[[ ! -e $folder/meson-private/coredata.dat ]] || again=--reconfigure
	as_owner meson setup $again "$folder" "$repo" "$@" >>"$log" 2>&1
}
is_configured() { # FOLDER -DNAME=VALUE...
	local folder=$1 option

	[[ -e $folder/build.ninja ]] || return 1
	shift
	for option; do
		option=${option#-D}
		grep -qxF "${option%%=*} = ${option#*=}" "$folder/meson-private/cmd_line.txt" || return 1
	done
}

compile() { # FOLDER LOG [TARGET...]
	local folder=$1 log=$2

	shift 2
	as_owner ninja -C "$folder" "$@" >>"$log" 2>&1
}
