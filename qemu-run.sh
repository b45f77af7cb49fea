#!/usr/bin/env bash
# Builds Luge, makes a disk out of WebAssembly functions, and boots both in QEMU.
#
# This is the only place that knows QEMU's flags. `--help` lists the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.cargo/setup.sh
. "$root/.cargo/setup.sh"

usage() {
    cat <<'END'
usage: ./qemu-run.sh [OPTION…]

Boots the unikernel in QEMU and serves its functions on 127.0.0.1 until Ctrl-C.

  --modules DIR       take the functions from DIR: each NAME.wasm becomes the route /NAME, unless a
                      functions.json in DIR says otherwise (default: the examples of tests/guests)
  --image FILE        boot this disk instead of making one
  --port N            the host's port of the first tenant (default: 8080); further tenants are reached
                      at the ports that functions.json gives them
  --engine NAME       wasmi, the interpreter, or wasmtime: native code only, which is compiled for the disk
                      that is made (default: native code where the disk has it, else the interpreter)
  --batch             run every function of the disk once, report, and power off
  --smp K             processors (only 1 for now)
  --memory SIZE       memory of the machine, for instance 512M (default: 256M)
  --accel NAME        tcg or kvm (default: kvm on real hardware that has it, else tcg)
  --gdb               stop at the first instruction and wait for gdb:
                      gdb -x tests/gdb/luge.gdb
  --timeout S         end the machine after S seconds
  --append 'K=V …'    add to the kernel's command line, for instance 'log=debug'
  --help              this text

For tests:
  --kernel FILE       boot this kernel instead of building one
  --loader FILE       the same for the loader
  --image none        boot with no disk
  --icount            count time in instructions: 1 ns of the machine's time is one instruction
  --icount-served     as --icount, but a machine with nothing to do waits in the host's time, so that
                      time-outs of connections mean something
  --cpu NAME          the processor that QEMU plays (default: max); see qemu-system-x86_64 -cpu help
  --gdb-port N        the port on which --gdb waits (default: 1234)
  --no-build          build nothing; what is missing is an error

Exit status: 0 powered off (with --batch: every function passed); 1 the build failed or QEMU would not
start; 2 wrong usage, or a tool is missing; 3 the machine reset itself; 124 timeout; 130 and 143
interrupted; 33 kernel panic; 35 a fault while a fault was handled; 37 a function failed in --batch;
65–73 the loader gave up (it says why).
END
}

say() { printf 'luge: %s\n' "$*" >&2; }

die() {
    local status=$1
    shift
    say "$@"
    exit "$status"
}

# --- Options ------------------------------------------------------------------------------------

modules='' image='' engine='' port=8080 memory=256M accel='' timeout='' append=''
kernel='' loader='' gdb_port=1234 cpu=max
batch=no gdb=no icount=no build=yes

# check_number OPTION VALUE MOST WHAT — the value of an option is a whole number of 1 or more.
check_number() {
    [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die 2 "$1: '$2' is not $4"
    [ "$2" -le "$3" ] || die 2 "$1: '$2' is not $4"
}
check_port() { check_number "$1" "$2" 65535 "a port"; }

# set_option NAME VALUE — takes an option that has a value.
set_option() {
    case $1 in
    --modules) modules=$2 ;;
    --image) image=$2 ;;
    --port)
        check_port "$1" "$2"
        port=$2
        ;;
    --engine)
        case $2 in
        wasmi | wasmtime) engine=$2 append+=" engine=$2" ;;
        *) die 2 "--engine: '$2' is neither wasmi nor wasmtime" ;;
        esac
        ;;
    --smp)
        check_number "$1" "$2" 999 "a number of processors"
        [ "$2" -eq 1 ] || die 2 "--smp $2: more than one processor: not yet"
        ;;
    --memory)
        [[ $2 =~ ^[1-9][0-9]{0,6}[MG]$ ]] || die 2 "--memory: '$2' is not a size such as 512M"
        # Below, firmware, loader and kernel do not fit side by side.
        [[ $2 =~ G$ ]] || [ "${2%M}" -ge 32 ] || die 2 "--memory: $2 is too little; at least 32M"
        memory=$2
        ;;
    --accel)
        case $2 in tcg | kvm) accel=$2 ;; *) die 2 "--accel: '$2' is neither tcg nor kvm" ;; esac
        ;;
    --timeout)
        check_number "$1" "$2" 999999999 "a number of seconds"
        timeout=$2
        ;;
    --append) append+=" $2" ;;
    --cpu)
        [[ $2 =~ ^[A-Za-z0-9._+,=-]+$ ]] || die 2 "--cpu: '$2' is not the name of a processor"
        cpu=$2
        ;;
    --kernel) kernel=$2 ;;
    --loader) loader=$2 ;;
    --gdb-port)
        check_port "$1" "$2"
        gdb_port=$2
        ;;
    esac
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h)
            usage
            exit 0
            ;;
        --batch) batch=yes ;;
        --gdb) gdb=yes ;;
        --icount) icount=off ;;
        --icount-served) icount=on ;;
        --no-build) build=no ;;
        --modules | --image | --port | --engine | --smp | --memory | --accel | --timeout | --append | \
            --kernel | --loader | --gdb-port | --cpu)
            [ $# -ge 2 ] || die 2 "$1 needs a value"
            set_option "$1" "$2"
            shift
            ;;
        --*=*) set -- "$1" "${1%%=*}" "${1#*=}" "${@:2}" ;;
        *) die 2 "unknown option '$1' (see --help)" ;;
        esac
        shift
    done
    [ -z "$modules" ] || [ -z "$image" ] || die 2 "--modules and --image exclude each other"
    [ -z "$modules" ] || [ -d "$modules" ] || die 2 "--modules: there is no directory '$modules'"
    [ -z "$image" ] || [ "$image" = none ] || [ -f "$image" ] || die 2 "--image: there is no file '$image'"
    [ -z "$kernel" ] || [ -f "$kernel" ] || die 2 "--kernel: there is no file '$kernel'"
    [ -z "$loader" ] || [ -f "$loader" ] || die 2 "--loader: there is no file '$loader'"
    choose_accelerator
}

# KVM inside of another virtual machine may interpret the guest's code and be a thousand times slower
# than TCG, so the mere presence of /dev/kvm does not speak for it.
choose_accelerator() {
    if [ "$accel" = kvm ]; then
        [ -w /dev/kvm ] || die 2 "--accel kvm: /dev/kvm is not there, or not yours to open"
    elif [ -z "$accel" ]; then
        accel=tcg
        if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo && ! grep -qw hypervisor /proc/cpuinfo; then
            accel=kvm
        fi
    fi
    if [ "$accel" = kvm ] && [ "$icount" != no ]; then die 2 "--icount needs --accel tcg"; fi
    if [ "$accel" = kvm ] && [ "$cpu" != max ]; then die 2 "--cpu needs --accel tcg"; fi
}

# Somebody who listens there already would get the requests; QEMU would notice, but only after the build.
check_port_is_free() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        die 2 "port $1 of 127.0.0.1 is taken; choose another one $2"
    fi
}

# --- Build --------------------------------------------------------------------------------------

target=${CARGO_TARGET_DIR:-$root/target}
image_tool=$target/debug/luge-image

build() { [ "$build" = yes ]; }

set_up() {
    local parts=(qemu)
    if [ "$gdb" = yes ]; then parts+=(gdb); fi
    if build; then
        if [ -z "$kernel" ] || [ -z "$loader" ] || [ -z "$image" ]; then parts+=(rust); fi
        if [ -z "$image" ]; then parts+=(disk); fi
        if [ -z "$image$modules" ]; then parts+=(guests); fi
    fi
    setup "${parts[@]}"
}

# bare PACKAGE — builds a package for the bare machine; its path goes into `built`.
bare() {
    built=$target/x86_64-unknown-unknown/release/$1
    if build; then
        (cd "$root" && RUSTC_BOOTSTRAP=1 cargo bare -p "$1") >&2 || die 1 "$1 did not build"
    fi
    [ -f "$built" ] || die 2 "$built is not there, and --no-build forbids to build it"
}

build_everything() {
    if [ -z "$loader" ]; then
        bare luge-pvh
        loader=$built
    fi
    if [ -z "$kernel" ]; then
        bare luge-kernel
        kernel=$built
    fi
    if build && [ "$image" != none ]; then
        local compiler=()
        # Its first build takes minutes, so it is built only where it is needed.
        if [ "$engine" = wasmtime ] && [ -z "$image" ]; then compiler=(--features native); fi
        (cd "$root" && cargo build -q -p luge-image "${compiler[@]}") >&2 || die 1 "luge-image did not build"
    fi
    if [ -z "$image" ]; then make_disk; fi
}

make_disk() {
    if [ -z "$modules" ]; then
        modules=$target/functions/examples
        if build; then
            "$root/tests/guests/build.sh" "$target/functions" >&2 || die 1 "the example functions did not build"
        fi
    fi
    image=$run/disk.img
    local native=()
    if [ "$engine" = wasmtime ]; then native=(--native); fi
    "$image_tool" build "${native[@]}" "$modules" "$image" >&2 || die 1 "there is no disk to boot from"
}

# --- The machine --------------------------------------------------------------------------------

# Device N of the machine sits in window N of its virtio-mmio bus. Nothing in PVH's start information
# names the windows, so the command line does, with Linux's parameter: size@base:interrupt.
virtio_count=0
attach() {
    local window
    printf -v window '512@0x%x:%d' $((0xfeb00000 + 512 * virtio_count)) $((16 + virtio_count))
    append+=" virtio_mmio.device=$window"
    qemu+=(-device "$1,bus=virtio-mmio-bus.$virtio_count")
    virtio_count=$((virtio_count + 1))
}

# The ports on which the disk's tenants listen, in the order of the spec; a disk that cannot be read
# has the one tenant that the kernel falls back to.
tenant_ports() {
    local ports=''
    if [ "$image" != none ] && [ -x "$image_tool" ]; then
        ports=$("$image_tool" ports "$image" 2>/dev/null | grep -oE '^[0-9]+' || true)
    fi
    echo "${ports:-8080}"
}

# Forwards the host's ports to the tenants' and leaves QEMU's words for it in `forwards`.
forward_ports() {
    forwards=''
    local host=$port guest
    for guest in $(tenant_ports); do
        if [ -z "$host" ]; then
            host=$guest
            check_port_is_free "$host" "in functions.json"
        fi
        forwards+=",hostfwd=tcp:127.0.0.1:$host-:$guest"
        [ "$host" = "$guest" ] || say "127.0.0.1:$host leads to the machine's port $guest"
        host=''
    done
}

describe_machine() {
    # shellcheck disable=SC2054 # The commas are QEMU's.
    qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
        -M "microvm,acpi=on,ioapic2=off,pit=on,pic=on,rtc=on,isa-serial=on"
        -accel "$accel" -m "$memory" -global virtio-mmio.force-legacy=false
        -chardev "stdio,id=serial,logfile=$run/serial.log" -serial chardev:serial
        -device isa-debug-exit,iobase=0xf4,iosize=4)
    # A monitor on two pipes, through which a machine that hangs is asked where it is.
    mkfifo "$run/monitor.in" "$run/monitor.out"
    qemu+=(-chardev "pipe,id=monitor,path=$run/monitor" -mon "chardev=monitor,mode=readline")
    # The log of resets is how a triple fault is told from a clean power-off: QEMU ends with 0 after both.
    if [ "$accel" = kvm ]; then
        qemu+=(-cpu "host,arch-capabilities=off")
    else
        qemu+=(-cpu "$cpu" -d cpu_reset -D "$run/resets.log")
    fi
    if [ "$icount" != no ]; then
        qemu+=(-icount "shift=0,sleep=$icount" -rtc "base=2026-01-01,clock=vm")
    fi
    if [ "$gdb" = yes ]; then
        qemu+=(-S -gdb "tcp:127.0.0.1:$gdb_port")
    fi
    if [ "$image" != none ]; then
        qemu+=(-drive "if=none,id=disk,format=raw,readonly=on,file=${image//,/,,}")
        attach virtio-blk-device,drive=disk
    fi
    forward_ports
    qemu+=(-netdev "user,id=net,ipv6=off$forwards")
    attach virtio-net-device,netdev=net
    if [ "$batch" = yes ]; then append+=" batch"; fi
    qemu+=(-kernel "$loader" -initrd "$kernel" -append "${append# }")
}

qemu_pid='' timer_pid='' qemu_status=''

# shellcheck disable=SC2317 # Runs at the end of the script, whatever ends it.
end_machine() {
    [ -z "$timer_pid" ] || kill "$timer_pid" 2>/dev/null || true
    [ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null || true
    [ -z "$qemu_pid" ] || wait "$qemu_pid" 2>/dev/null || true
    rm -rf "$run"
}

# Starts QEMU and waits for its end; `setpriv` sees to it that QEMU ends even if this script is killed.
run_machine() {
    local keep=() ended
    if setup_has setpriv; then keep=(setpriv --pdeathsig KILL --); fi
    "${keep[@]}" "${qemu[@]}" </dev/null &
    qemu_pid=$!
    [ "$gdb" = no ] || say "stopped at the first instruction; now: gdb -x tests/gdb/luge.gdb"
    if [ -n "$timeout" ]; then
        sleep "$timeout" &
        timer_pid=$!
    fi
    qemu_status=0
    # shellcheck disable=SC2086 # Without a timer there is no second word.
    wait -n -p ended $qemu_pid $timer_pid || qemu_status=$?
    if [ "$ended" != "$qemu_pid" ]; then
        say "no end after $timeout seconds; QEMU is ended, and the machine was here:"
        locate
        exit 124
    fi
    qemu_pid=''
}

# --- What its end means -------------------------------------------------------------------------

# symbolise — reads lines `backtrace: ADDRESS`, as the kernel writes them, and says which lines of the source
# they mean. Only the one marked `(here)` is exact; the others are return addresses, and the call lies
# before them.
symbolise() {
    local address mark file
    setup_has addr2line || return 0
    while read -r _ address mark; do
        # The kernel lies in the upper half of the address space, whose addresses are negative numbers.
        file=$loader
        if ((address < 0)); then file=$kernel; fi
        if [ "$mark" != "(here)" ]; then address=$(printf '0x%x' $((address - 1))); fi
        printf '  %s  %s\n' "$address" "$(addr2line -e "$file" -fCip "$address" | sed '2,$s/^/    /')"
    done >&2
}

# Says where a machine is that has to be ended because it does not end by itself.
locate() {
    local rip
    echo "info registers" >"$run/monitor.in"
    rip=$(timeout 5 grep -aom 1 'RIP=[0-9a-f]*' "$run/monitor.out") || return 0
    symbolise <<<"backtrace: 0x${rip#RIP=} (here)"
}

machine_reset_itself() { grep -qs '^Triple fault' "$run/resets.log"; }

# The values are those of `boot/info/src/exit.rs`; QEMU ends with twice the value plus one.
report_end() {
    case $qemu_status in
    0)
        if machine_reset_itself; then
            tail -n +1 "$run/resets.log" | grep -A 8 '^Triple fault' >&2 || true
            die 3 "triple fault: the machine reset itself"
        fi
        exit 0
        ;;
    1) die 1 "QEMU would not start" ;;
    33) say "kernel panic" ;;
    35) say "the kernel faulted while it handled a fault" ;;
    37) die 37 "not every function passed" ;;
    65) say "the loader was given start information that it cannot use" ;;
    67) say "the loader was given a memory map that it cannot use" ;;
    69) say "the loader was given a damaged kernel" ;;
    71) say "the loader ran out of memory" ;;
    73) say "the loader faulted" ;;
    *) say "QEMU ended with status $qemu_status" ;;
    esac
    grep -aoE '^backtrace: 0x[0-9a-f]+.*' "$run/serial.log" | tr -d '\r' | symbolise || true
    exit "$qemu_status"
}

# What belongs to this run alone, the disk among it. Runs that were killed could not clean up.
make_run_directory() {
    local other
    for other in "$target"/run.*; do
        [ -d "/proc/${other##*.}" ] || rm -rf "$other"
    done
    run=$target/run.$$
    mkdir -p "$run"
}

main() {
    parse_options "$@"
    check_port_is_free "$port" "with --port"
    make_run_directory
    trap end_machine EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    set_up
    build_everything
    describe_machine
    run_machine
    report_end
}

main "$@"
