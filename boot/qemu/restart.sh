# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # The parts share their variables.
# `--restart`: a machine that came to a bad end is started again.

# The pause before, in seconds: twice as long each time, and from the beginning after a machine that lived for long.
shortest_pause=1 longest_pause=60 long_life=60

# Whether a machine that ended with this status may do better next time: what it runs, and on what, is as it was. A
# disk or memory that is wrong is wrong again, and QEMU that does not start has been given something wrong.
# may_do_better STATUS
may_do_better() {
    case $1 in
    # Reset, kernel panic, last words, a device that failed.
    3 | 33 | 35 | 39) return 0 ;;
    # QEMU itself was killed, or crashed.
    *) [ "$1" -ge 128 ] ;;
    esac
}

# Runs the machine until it ends well, or in a way that another start would not change.
run_again_and_again() {
    local pause=$shortest_pause starts=0 began status
    while :; do
        began=$SECONDS status=0
        run_machine
        (report_end) || status=$?
        if ! may_do_better "$status"; then exit "$status"; fi
        if ((SECONDS - began >= long_life)); then pause=$shortest_pause; fi
        starts=$((starts + 1))
        say "the machine ended with status $status; it is started again in $pause s (restart $starts)"
        # In the background, so that a signal is not held up by it; and it must not hold open what this script says.
        sleep "$pause" >/dev/null 2>&1 &
        pause_pid=$!
        wait "$pause_pid" || true
        pause_pid=''
        pause=$((2 * pause < longest_pause ? 2 * pause : longest_pause))
    done
}
