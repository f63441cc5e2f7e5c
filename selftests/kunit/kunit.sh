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
failed=0 nr=0
suites=$(comm -13 <(echo "$before") <(find "$results" -mindepth 1 -maxdepth 1 -type d | sort))
echo KTAP version 1
cat_suite()
{
	# The cases are the results, the suite's own line would count them twice
	sed -n 's/^    \( *\)\(ok\|not ok\|#\)/\2/p' "$1/results"
}
for suite in $suites; do
	while IFS= read -r line; do
		case $line in
		"ok "*) nr=$((nr + 1)); echo "ok $nr $(basename "$suite"): ${line#ok * }" ;;
		"not ok "*)
			nr=$((nr + 1)); failed=1
			echo "not ok $nr $(basename "$suite"): ${line#not ok * }" ;;
		*) echo "$line" ;;
		esac
	done < <(cat_suite "$suite")
done
echo "1..$nr"
rmmod "$name"
[ $nr -gt 0 ] || { echo "# no results in $results"; exit 1; }
exit $failed
