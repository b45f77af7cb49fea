# shellcheck shell=bash
# shellcheck disable=SC2034 # The parts share their variables.
# How `qemu-run.sh` speaks to whoever started it: on standard error, in a line that begins with `luge:`.
#
# A problem is said in two parts: what is wrong, and what to type next. Colours only on a terminal, and never
# where NO_COLOR is set (https://no-color.org).

bold='' red='' dim='' plain=''
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' red=$'\e[1;31m' dim=$'\e[2m' plain=$'\e[0m'
fi

say() { printf '%sluge:%s %s\n' "$bold" "$plain" "$*" >&2; }

# complain WHAT [NEXT…] — says what is wrong, and, a line each, what to do about it.
complain() {
    printf '%sluge: %s%s\n' "$red" "$1" "$plain" >&2
    shift
    [ $# = 0 ] || printf '      %s\n' "$@" >&2
}

# die STATUS WHAT [NEXT…]
die() {
    local status=$1
    shift
    complain "$@"
    exit "$status"
}

# step WHAT COMMAND… — carries out a part of the preparation and says how long it took, if it took its time.
# On a terminal cargo shows by itself how far it is; elsewhere it is quiet unless something is wrong.
step() {
    local what=$1 start=$SECONDS took
    shift
    say "$what …"
    "$@" >&2 || return 1
    took=$((SECONDS - start))
    [ "$took" -lt 5 ] || say "${dim}$what: $took s${plain}"
}

# The switch by which cargo is told to be quiet where nobody sees its progress.
quietly=(--quiet)
if [ -t 2 ]; then quietly=(); fi
