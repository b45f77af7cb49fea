# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # The parts share their variables.
# `--core`: the machine's memory, kept in a file that gdb opens, when the machine has come to a bad end.
#
# A kernel that panics says so to the device `pvpanic`, and a triple fault ends in a shutdown; QEMU stops the
# machine at both instead of ending (`-action`), and says so on a monitor that speaks JSON. Then it is told to
# write its memory down and to go on: the kernel leaves with its status, as without `--core`.

# What QEMU needs for it.
describe_keeper() {
    mkfifo "$run/events.in" "$run/events.out"
    # shellcheck disable=SC2054 # The commas are QEMU's.
    qemu+=(-device pvpanic -action panic=pause,shutdown=pause
        -chardev "pipe,id=events,path=$run/events" -mon "chardev=events,mode=control")
}

# command NAME [ARGUMENTS] — tells QEMU something.
command_qemu() { printf '{"execute":"%s","arguments":{%s}}\n' "$1" "${2:-}" >"$run/events.in"; }

# Has the memory written. By the machine's page tables, so that gdb finds everything at the addresses that the
# kernel sees.
dump() {
    rm -f "$core"
    local file=${core//\\/\\\\}
    command_qemu dump-guest-memory "\"paging\":true,\"protocol\":\"file:${file//\"/\\\"}\""
}

# Reads what QEMU says until the machine has ended.
keep_core() {
    local line
    command_qemu qmp_capabilities
    while read -r line; do
        case $line in
        *'"GUEST_PANICKED"'*)
            dump
            read_answer && say_kept
            command_qemu cont
            ;;
        *'"SHUTDOWN"'*guest-reset*)
            dump
            read_answer && say_kept
            command_qemu quit
            ;;
        *'"SHUTDOWN"'*) command_qemu quit ;;
        esac
    done <"$run/events.out"
}

# Waits for the answer to `dump`: 0 if the memory is kept.
read_answer() {
    local line
    while read -r line; do
        case $line in
        *'"event"'*) ;;
        *'"error"'*)
            complain "the machine's memory could not be kept in $core:" "$line"
            return 1
            ;;
        *'"return"'*) return 0 ;;
        esac
    done
    return 1
}

# A machine that hangs says nothing; whoever ends it keeps its memory first.
keep_core_of_hang() {
    kill "$keeper_pid" 2>/dev/null || true
    wait "$keeper_pid" 2>/dev/null || true
    keeper_pid=''
    command_qemu stop
    dump
    # The first answer is that of `stop`.
    read_answer <"$run/events.out" && read_answer <"$run/events.out" && say_kept
}

say_kept() {
    local of=''
    if [ "$kernel" != "$target/x86_64-unknown-unknown/release/luge-kernel" ]; then
        of="-ex 'set \$luge_kernel = \"$kernel\"' "
    fi
    say "its memory is in $core; to look into it:"
    printf '      gdb -c %s %s-x tests/gdb/luge.py\n' "$core" "$of" >&2
}
