#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The completion of bash, with a memsyncctl that answers from here.
# usage: completion.sh MEMSYNCCTL

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/memsyncctl" <<-'END'
	#!/bin/sh
	if [ "$1" = show ]; then
		echo 'NAME   ROLE    STATE   PID  MEMORY  BEHIND  PEER'
		echo 'redis  source  synced  42   1 MiB   0 B     10.42.0.2:7420'
		echo 'web    sink    gone    -    1 MiB   -       -'
		echo 'web: process exited just now'
	else
		echo 'memsync 0.1'
		echo '  listeners   127.0.0.1:7420'
		echo '              [::1]:7420'
		echo '  peers       10.42.0.2:7420 of source redis  connected'
	fi
END
chmod +x "$dir/memsyncctl"
PATH=$dir:$PATH
# shellcheck source=/dev/null
source "${BASH_SOURCE%/*}/../memsyncctl/completion.bash"

nr=0
failed=0

# completes 'WORDS... PARTIAL' 'WANTED...'
completes()
{
	local got
	read -ra COMP_WORDS <<<"$1"
	[[ $1 == *' ' ]] && COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_memsyncctl
	got=${COMPREPLY[*]}
	nr=$((nr + 1))
	if [ "$got" = "$2" ]; then
		echo "ok $nr - $1"
	else
		echo "not ok $nr - $1"
		echo "# got '$got', wanted '$2'"
		failed=1
	fi
}

completes 'memsyncctl re' 'register receive resume'
completes 'memsyncctl -j un' 'unregister unlisten'
completes 'memsyncctl show ' 'redis web'
completes 'memsyncctl sync ' 'redis'
completes 'memsyncctl save ' 'web'
completes 'memsyncctl peer ' 'add del'
completes 'memsyncctl peer add ' 'redis'
completes 'memsyncctl unlisten ' '127.0.0.1:7420 [::1]:7420'
completes 'memsyncctl resume redis --i' '--interval'
completes 'memsyncctl register --pid 1 --addr a' 'anon all'
completes 'memsyncctl help mon' 'monitor'

echo "1..$nr"
exit $failed
