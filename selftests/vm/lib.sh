# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the rig's provisioning scripts share: the cache, its locks, and packages of
# other Debian suites without touching the machine's own apt configuration.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/memsync

# of_suite NAME: from here on, packages are those of that suite of Debian's. The options
# make apt use a private list of sources and leave the machine's state alone.
of_suite()
{
	suite=$1
	backports=$1-backports
	apt_dir=$cache/apt
	[ "$1" = bookworm ] || apt_dir=$cache/apt-$1
	apt_with=(
		-o "Dir::Etc::sourcelist=$apt_dir/sources.list"
		-o "Dir::Etc::sourceparts=$apt_dir/none"
		-o "Dir::Etc::preferences=/dev/null"
		-o "Dir::Etc::preferencesparts=$apt_dir/none"
		-o "Dir::State::lists=$apt_dir/lists"
		-o "Dir::Cache=$apt_dir"
		-o "APT::Sandbox::User=root"
		-o "DPkg::Lock::Timeout=600"
	)
}

# The machine's own; 6.12 and QEMU 10 come from its backports
of_suite bookworm

die()
{
	echo "${0##*/}: $*" >&2
	exit 2
}

note()
{
	echo "${0##*/}: $*" >&2
}

# lock NAME: hold a cache entry until this shell (or subshell) ends
lock()
{
	mkdir -p "$cache/lock"
	exec {lock_fd}>"$cache/lock/$1"
	flock "$lock_fd"
}

# need PACKAGE…: install what is missing, or name it in one line
need()
{
	local p missing=()

	for p; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null |
			grep -q '^install ok installed$' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] ||
		die "these packages are missing: apt-get install ${missing[*]}"
	note "installing ${missing[*]}"
	(
		# Nobody waits for the lock that apt-get update takes
		lock packages
		quietly apt-get -o DPkg::Lock::Timeout=600 update
		quietly env DEBIAN_FRONTEND=noninteractive apt-get \
			-o DPkg::Lock::Timeout=600 install -y --no-install-recommends \
			"${missing[@]}"
	) || exit
}

# quietly COMMAND…: no output unless it fails, and then all of it
quietly()
{
	local out

	out=$("$@" 2>&1 </dev/null) && return 0
	printf '%s\n' "$out" >&2
	die "failed: $*"
}

# debian_site CODENAME: where the machine's own apt gets that suite of Debian's
debian_site()
{
	# The words with a $ are apt's
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(SITE)' \
		'Created-By: Packages' | awk -v name="$1" \
		'$1 == "Debian" && $2 == name { print $3; exit }'
}

# archive: where the machine's own apt gets Debian, all suites of it
archive()
(
	site=$(debian_site bookworm)
	if [ -z "$site" ] && [ "$(id -u)" = 0 ]; then
		quietly apt-get -o DPkg::Lock::Timeout=600 update
		site=$(debian_site bookworm)
	fi
	[ -n "$site" ] ||
		die "apt knows no Debian 12 archive here (apt-get update?)"
	echo "$site"
)

# apt_setup: a private list of sources, with the suite's backports
apt_setup()
(
	lock apt
	site=$(archive) || exit
	security=$(debian_site bookworm-security)
	mkdir -p "$apt_dir"/{none,lists/partial,archives/partial}
	{
		echo "deb $site $suite main"
		echo "deb $site $suite-updates main"
		echo "deb $site $backports main"
		[ -z "$security" ] || echo "deb $security $suite-security main"
	} >"$apt_dir/sources.list"
	quietly apt-get "${apt_with[@]}" update
)

# depends PACKAGE VERSION REGEX: the names in its Depends that match, without versions
depends()
{
	apt-cache "${apt_with[@]}" show "$1=$2" |
		sed -n 's/^Depends: //p' | sed 's/[,|]/\n/g' |
		sed 's/^ *//; s/ .*//' | grep -xE "$3" | sort -u
}

# version PACKAGE [SUITE]: the newest version there (by default: what apt would install)
version()
(
	lock apt
	if [ $# -gt 1 ]; then
		apt-cache "${apt_with[@]}" madison "$1" |
			awk -F ' *[|] *' -v suite="$2/" \
			'index($3, " " suite) { print $2; exit }'
	else
		apt-cache "${apt_with[@]}" policy "$1" |
			awk '$1 == "Candidate:" { print $2 }'
	fi
)

# at PACKAGE VERSION: for unpack, that version, or what apt would install where the archive
# has moved on: signed kernels follow days after the tools that they are built with
at()
(
	lock apt
	if apt-cache "${apt_with[@]}" madison "$1" |
		awk -F ' *[|] *' -v version="$2" '$2 == version { found = 1 } END { exit !found }'; then
		echo "$1=$2"
	else
		echo "$1"
	fi
)

# unpack DIR PACKAGE[=VERSION]…: download packages and unpack them below DIR
unpack()
(
	dir=$1
	shift
	lock apt
	tmp=$(mktemp -d "$cache/download.XXXXXX")
	(cd "$tmp" && quietly apt-get "${apt_with[@]}" download "$@") || exit
	for deb in "$tmp"/*.deb; do
		dpkg -x "$deb" "$dir"
	done
	rm -r "$tmp"
)
