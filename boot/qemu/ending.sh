# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # The parts share their variables.
# What the end of the machine means.

# readable — names that a compiler has mangled, as their author wrote them.
readable() { if setup_has c++filt; then c++filt; else cat; fi | sed -E 's/::h[0-9a-f]{16}//'; }

# symbolise — reads lines `backtrace: ADDRESS …`, as the kernel writes them, and says which lines of the source
# they mean. Only the one marked `(here)` is exact; the others are return addresses, and the call lies
# before them. Functions of native code are named by the kernel, in the rest of the line.
symbolise() {
    local address rest
    while read -r _ address rest; do
        case $rest in
        *'+0x'*) printf '  %s  %s\n' "$address" "${rest#*) } (WebAssembly, compiled)" ;;
        *) symbolise_one "$address" "$rest" ;;
        esac
    done | readable >&2
}

# shorten — leaves out what generic parameters stand for, which can be pages long, where the tree is, and a place
# that is not known.
shorten() {
    sed -E -e 's/->/→/g' -e ':again' -e 's/([A-Za-z0-9_}])(::)?<[^<>]*>/\1/g' -e 'tagain' -e 's/→/->/g' -e 's/::<.*> at / at /' \
        -e "s|$root/||" -e 's/ at [^ ]*:\?$//'
}

symbolise_one() {
    local address=$1 file=$loader found
    # The kernel lies in the upper half of the address space, whose addresses are negative numbers.
    if ((address < 0)); then file=$kernel; fi
    if [ "$2" != "(here)" ]; then address=$(printf '0x%x' $((address - 1))); fi
    found=$(addr2line -e "$file" -fCip "$address" 2>/dev/null | shorten || true)
    case $found in
    '' | '??'*) printf '  %s  in no function of %s\n' "$address" "$(basename "$file")" ;;
    *) printf '  %s  %s\n' "$address" "$(sed '2,$s/^/    /' <<<"$found")" ;;
    esac
}

# Says where a machine is that has to be ended because it does not end by itself.
locate() {
    local rip
    echo "info registers" >"$run/monitor.in"
    # The register's name is EIP before the loader has left 32-bit mode. A busy host may let QEMU take its time.
    rip=$(timeout 120 grep -aom 1 '[RE]IP=[0-9a-f]*' "$run/monitor.out") || return 0
    symbolise <<<"backtrace: 0x${rip#?IP=} (here)"
}

machine_reset_itself() { grep -qs '^Triple fault' "$run/resets.log"; }

# What to do about a kernel that came to a bad end.
advise() {
    local next=()
    if [ -z "$core" ]; then next=("to look into its memory next time: add --core luge.core"); fi
    complain "$1" "${next[@]}"
}

# The backtrace of the last words, if there is one.
say_where() {
    local lines
    lines=$(grep -aoE '^backtrace: 0x[0-9a-f]+.*' "$run/serial.log" | tr -d '\r') || return 0
    say "the backtrace, innermost call first:"
    symbolise <<<"$lines"
}

# The values are those of `boot/info/src/exit.rs`; QEMU ends with twice the value plus one.
report_end() {
    case $qemu_status in
    0)
        if machine_reset_itself; then
            tail -n +1 "$run/resets.log" | grep -A 8 '^Triple fault' >&2 || true
            advise "triple fault: the machine reset itself"
            exit 3
        fi
        exit 0
        ;;
    1) die 1 "QEMU would not start" "it has said why above" ;;
    33) advise "kernel panic" ;;
    35) advise "the kernel faulted while it handled a fault" ;;
    37) die 37 "not every function passed" ;;
    39) complain "a device of the machine is missing or failed; the last line of the log says which" ;;
    65) complain "the loader was given start information that it cannot use" ;;
    67) complain "the loader was given a memory map that it cannot use" ;;
    69) complain "the loader was given a damaged kernel" ;;
    71) complain "the loader ran out of memory" "give the machine more: --memory 512M" ;;
    73) complain "the loader faulted" ;;
    *) complain "QEMU ended with status $qemu_status" ;;
    esac
    say_where
    exit "$qemu_status"
}
