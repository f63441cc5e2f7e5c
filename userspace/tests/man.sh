#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The manual tells of every command and option that there is.
# usage: man.sh MEMSYNCCTL

ctl=$1
man=${BASH_SOURCE%/*}/../memsyncctl/memsyncctl.8
nr=0
failed=0

result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		failed=1
	fi
}

for command in $("$ctl" help | awk '/^  / { print $1 }'); do
	grep -q "Cm.*\<$command\>" "$man"
	result $? "the manual has $command"
	for option in $("$ctl" help "$command" | grep -o -- '--[a-z-]*' | sort -u); do
		grep -q -- "Fl -${option#--}\>\|, ${option#-}\>" "$man"
		result $? "the manual has $command $option"
	done
done
if command -v mandoc >/dev/null; then
	mandoc -Tlint -Wwarning "$man"
	result $? 'the manual is well-formed'
else
	echo "ok $((++nr)) - the manual is well-formed # SKIP no mandoc"
fi

echo "1..$nr"
exit $failed
