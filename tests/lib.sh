# SPDX-License-Identifier: GPL-2.0-only
# TAP in shell: sourced by the rows that run commands.

rows_failed=0

ok()
{
	echo "ok - $1"
}

not_ok()
{
	echo "not ok - $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/# /'
	rows_failed=$((rows_failed + 1))
}

# row NAME STATUS PATTERN COMMAND..: the exit status and one line of the output,
# as an extended regular expression, are as expected.
row()
{
	local name=$1 want=$2 pattern=$3 output status
	shift 3
	output=$("$@" 2>&1 </dev/null)
	status=$?
	if [ "$status" != "$want" ]; then
		not_ok "$name" "status $status instead of $want from: $*
$output"
	elif ! grep -qE -e "$pattern" <<<"$output"; then
		not_ok "$name" "no line matches '$pattern' in the output of: $*
$output"
	else
		ok "$name"
	fi
}

# suite NAME COMMAND..: runs one that speaks TAP itself, with NAME in front of its rows. One that
# does not end well fails, unless a row said so: after which row that was tells where it hung.
suite()
{
	local name=$1 record status said last
	shift
	record=$(mktemp)
	"$@" 2>&1 </dev/null | tee "$record" |
		sed -uE "s/^( *)(ok|not ok) ([0-9]+ )?(- )?/\\1\\2 - $name: /"
	status=${PIPESTATUS[0]}
	case $status in
	0 | 77) said=1 ;;
	1) said=$(grep -ac '^ *not ok' "$record") ;;
	*) said=0 ;;
	esac
	if [ "$said" = 0 ]; then
		last=$(grep -aE '^ *(not )?ok' "$record" | tail -n 1)
		last=${last:+after the row \"$last\"}
		not_ok "$name: ended with status $status ${last:-before any row}" \
			"$(tail -n 1 "$record")"
	fi
	rm "$record"
	return "$status"
}
