# bash completion for memsyncctl                           -*- shell-script -*-
# SPDX-License-Identifier: GPL-2.0

# The names of the regions that there are now; $1: the role, or nothing.
_memsyncctl_names()
{
	memsyncctl show 2>/dev/null | awk -v role="$1" '
		NR > 1 && NF > 2 && $1 !~ /:$/ && (role == "" || $2 == role) { print $1 }'
}

_memsyncctl_listeners()
{
	memsyncctl status 2>/dev/null | awk '
		$1 == "listeners" { on = 1; if ($2 != "none") print $2; next }
		on && $1 ~ /:[0-9]+$/ && NF <= 2 { print $1; next }
		{ on = 0 }'
}

_memsyncctl_ranges()
{
	local pid i

	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == --pid ]] && pid=${COMP_WORDS[i + 1]}
	done
	echo 'anon all [heap] [stack]'
	[[ $pid =~ ^[0-9]+$ ]] || return
	awk '$2 ~ /^.w/ && $6 ~ "^/" { print $6 }' "/proc/$pid/maps" 2>/dev/null | sort -u
}

_memsyncctl_options()
{
	case $1 in
	register) echo --pid --addr --name --peer --follow --compare --sink --from --plaintext --interval --wait --timeout ;;
	receive) echo --name --file --resume --max-size --from --plaintext ;;
	unregister | pause | show) echo --sink ;;
	resume) echo --sink --interval ;;
	listen) echo --plaintext ;;
	sync | verify) echo --timeout ;;
	save) echo --sink --timeout --lease ;;
	esac
	echo --json --help
}

_memsyncctl_words()
{
	case $1 in
	unregister | pause | resume | show) _memsyncctl_names ;;
	sync | verify) _memsyncctl_names source ;;
	save) _memsyncctl_names sink ;;
	unlisten) _memsyncctl_listeners ;;
	help) echo "$_memsyncctl_commands" ;;
	peer)
		case $2 in
		0) echo add del ;;
		1) _memsyncctl_names source ;;
		esac
		;;
	esac
}

_memsyncctl_commands='register receive unregister peer pause resume listen unlisten show sync
	verify save monitor status help'

_memsyncctl()
{
	local cur prev command='' i nr=0 words

	# Addresses have colons, which bash would split words at.
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : cur prev
	else
		cur=${COMP_WORDS[COMP_CWORD]}
		prev=${COMP_WORDS[COMP_CWORD - 1]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*)
			[[ $command ]] && ((nr++))
			: "${command:=${COMP_WORDS[i]}}"
			;;
		esac
	done
	COMPREPLY=()
	case $prev in
	--pid)
		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur")
		return
		;;
	--addr)
		mapfile -t COMPREPLY < <(compgen -W "$(_memsyncctl_ranges)" -- "$cur")
		return
		;;
	--file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--peer)
		mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
		return
		;;
	--name | --from | --interval | --timeout | --lease | --max-size)
		return
		;;
	esac
	if [[ -z $command ]]; then
		words="$_memsyncctl_commands --json --help --version"
	elif [[ $cur == -* ]]; then
		words=$(_memsyncctl_options "$command")
	else
		words=$(_memsyncctl_words "$command" "$nr")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if [[ $command == save && $nr -ge 1 && $cur != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}

complete -F _memsyncctl memsyncctl
