#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads the KUnit suites, which run at once, and hands on their results.

set -euo pipefail
ko=${MEMSYNC_KUNIT_KO-}
results=/sys/kernel/debug/kunit

if [ -z "$ko" ]; then
	echo "1..0 # SKIP this kernel has no KUnit"
	exit 4
fi
name=$(basename "$ko" .ko | tr - _)
rmmod "$name" 2>/dev/null || true
before=$(find "$results" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort)
insmod "$ko"
failed=0
lines=$(mktemp)
suites=$(comm -13 <(echo "$before") <(find "$results" -mindepth 1 -maxdepth 1 -type d | sort))
echo KTAP version 1
cat_suite()
{
	# The cases are the results, the suite's own line would count them twice
	sed -n 's/^    \( *\)\(ok\|not ok\|#\)/\2/p' "$1/results"
}
# One process for all of it: starting one is slow on this kernel
for suite in $suites; do
	cat_suite "$suite" | sed "s|^|$(basename "$suite") |"
done >"$lines"
awk '
	$2 == "ok" || ($2 == "not" && $3 == "ok") {
		suite = $1
		state = $2 == "ok" ? "ok" : "not ok"
		sub(/^[^ ]+ (not )?ok [0-9]+ */, "")
		print state, ++nr, suite ": " $0
		next
	}
	{ sub(/^[^ ]+ /, ""); print }
	' "$lines"
nr=$(grep -cE "^[^ ]+ (not )?ok " "$lines") || nr=0
! grep -qE '^[^ ]+ not ok ' "$lines" || failed=1
rm -f "$lines"
echo "1..$nr"
rmmod "$name"
[ "$nr" -gt 0 ] || { echo "# no results in $results"; exit 1; }
exit $failed
