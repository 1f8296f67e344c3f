# SPDX-License-Identifier: GPL-2.0-only
#
# What the scripts of the lab share. Source it from bash; it sets "lab", "tree" and "cache".

set -euo pipefail
umask 022
# An ordinary user's own PATH may lack mke2fs and chroot.
PATH=$PATH:/usr/sbin:/sbin

lab=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tree=$(realpath "$lab/../..")
cache=${MIGLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/miglab}

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# The lab could not do its work: says why and ends with status 3.
die() {
	say "$*"
	exit 3
}

# Prints the comment at the head of the running script, which is its manual.
usage() {
	sed -n '3,/^$/ { s/^# \{0,1\}//p }' "$0"
}

bad_usage() {
	say "$*; see ${0##*/} --help"
	exit 2
}

# namespace COMMAND..: runs it as root, in mount and PID namespaces of its own, so that no mount is
# left behind on the host. For an ordinary user root is the user itself, in a user namespace.
namespace() {
	local user=()

	[ "$(id -u)" = 0 ] || user=(--user --map-root-user --map-auto)
	unshare "${user[@]}" --mount --pid --fork --kill-child -- "$@"
}

need_namespace() {
	namespace true 2> /dev/null ||
		die "this machine does not let $(id -un) create mount and user namespaces; run it as root"
}

# lock_cache NAME: waits for that lock in the cache and keeps it until this script ends.
lock_cache() {
	mkdir -p "$cache" || die "cannot create the cache directory $cache"
	exec 9> "$cache/$1.lock"
	flock --nonblock 9 && return
	say "waiting for another run that is filling $cache"
	flock 9
}

# all_but_newest N PATTERN: prints the files and directories of the cache that match PATTERN, but for
# the N that were used last.
all_but_newest() {
	find "$cache" -mindepth 1 -maxdepth 1 -name "$2" -printf '%T@ %p\n' |
		sort -rn | tail -n "+$(($1 + 1))" | cut -d ' ' -f 2-
}

# mount_system ROOT: gives a chroot what compilers and package scripts expect. Inside namespace().
mount_system() {
	# A container may forbid a fresh procfs; then the host's own has to do.
	mount -t proc proc "$1/proc" 2> /dev/null || mount --rbind /proc "$1/proc"
	mount --rbind /dev "$1/dev"
	[ ! -e "$1/etc/resolv.conf" ] || mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
}

# The files of the tree that git tracks or would track, or all but build output without git.
tree_files() {
	local file

	if git -c safe.directory="$tree" -C "$tree" rev-parse 2> /dev/null; then
		git -c safe.directory="$tree" -C "$tree" ls-files -z --cached --others --exclude-standard
	else
		find "$tree" -name build -prune -o -type f -printf '%P\0'
	fi | sort -zu | while IFS= read -r -d '' file; do
		[ ! -e "$tree/$file" ] || printf '%s\0' "$file"
	done
}

# Writes the tree as a tar archive that depends on nothing but names, modes and contents.
tree_archive() {
	tree_files | tar -C "$tree" --null --files-from - --mtime @0 --owner 0 --group 0 \
		--numeric-owner --create
}
