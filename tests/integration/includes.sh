#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# scripts/check-includes finds a breach of each rule, and none in the code as it is. No hosts in this one.
#
# Paths: none
. "$(dirname "$0")/_init.sh"

step "the code as it is"
"$repo/scripts/check-includes" || fail "a breach"

copy=$scratch/copy
mkdir "$copy"
cp -r "$repo"/{dataplane,bpf,control} "$copy"

# breach FILE LINE: added to this file, the line is found
breach() {
	cp "$copy/$1" "$scratch/kept"
	printf '%s\n' "$2" >>"$copy/$1"
	! "$repo/scripts/check-includes" "$copy" 2>"$scratch/found" || fail "not found: $2 in $1"
	grep -q "^$1:[0-9]*: " "$scratch/found" || fail "found, but not said where: $(<"$scratch/found")"
	mv "$scratch/kept" "$copy/$1"
}

step "breaches"
breach dataplane/core/hash.h '#include <string.h>'
breach dataplane/core/hash.h '#include <rte_mbuf.h>'
breach dataplane/core/hash.h '#include "worker.h"'
breach dataplane/core/hash.h '  #  include "../worker.h"'
breach dataplane/worker.c '#include <jansson.h>'
breach dataplane/worker.c '#include "model.h"'
breach dataplane/worker.c '#include "../control/daemon/model.h"'
breach control/daemon/main.c '#include <rte_ring.h>'
breach control/daemon/main.c '#include "worker.h"'
breach control/cli/main.c '#include "snapshot.h"'
breach control/cli/main.c '#include "model.h"'
breach control/cli/main.c '#include <event2/event.h>'
breach control/cli/main.c '#include <libconfig.h>'
