# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# After lib.sh: a victim that is registered with --follow, and whether the region has all of it.

# What lib.sh has
# shellcheck disable=SC2154

followed_kind=anon

# followed NAME SIZES [OPTIONS…]: a filled victim, all of whose private memory is registered
followed()
{
	local name=$1 sizes=$2

	shift 2
	victim "$name" "$sizes"
	tell "$name" fill 0 1
	h1 memsyncctl register --pid "${victim_pid[$name]}" --addr "$followed_kind" --follow \
		--name "$name" "$@"
}

# mapped PID: START END of the private anonymous mappings that hold pages or are of hugetlb
# memory, and of shared memory and the files that the victim made where they are followed
mapped()
{
	awk -v kind="$followed_kind" '
		/^[0-9a-f]+-[0-9a-f]+ / {
			split($1, at, "-")
			private = $2 ~ /^r..p/ && $5 == 0 && $6 !~ /^\[v/
			file = kind == "all" && $2 ~ /^rw.p/ && $6 ~ /^\/tmp\/victim\./ ||
			       kind == "all" && $2 ~ /^rw.s/ && $6 == "/dev/zero" ||
			       $2 ~ /^rw.p/ && $6 == "/anon_hugepage"
		}
		/^Anonymous:/ && (file || private && $2 > 0) { print "0x" at[1], "0x" at[2] }' \
		"/proc/$1/smaps"
}

# within START END SPAN…: are all of these addresses in the spans, "START LENGTH" each?
within()
{
	local at=$(($1)) end=$(($2)) moved=1 span start length

	shift 2
	while [ $moved = 1 ] && [ $at -lt $end ]; do
		moved=0
		for span; do
			read -r start length <<<"$span"
			if [ $at -ge $((start)) ] && [ $at -lt $((start + length)) ]; then
				at=$((start + length))
				moved=1
			fi
		done
	done
	[ $at -ge $end ]
}

# whole VICTIM HOST1 NAME1 HOST2 NAME2: all of its memory is in the region, and the replica equal
whole()
{
	local pid=${victim_pid[$1]} start end ranges

	kill -STOP "$pid"
	at "$2" memsyncctl sync "$3" --timeout "$patience" >/dev/null
	mapfile -t ranges < <(spans "$2" "$3" source)
	while read -r start end; do
		within "$start" "$end" "${ranges[@]}" || fail "$start-$end is in no range"
	done < <(mapped "$pid")
	compare "$2" "$3" "$4" "$5"
	kill -CONT "$pid"
}
