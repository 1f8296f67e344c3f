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
