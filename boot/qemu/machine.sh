# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # The parts share their variables.
# The machine: QEMU's flags, which nothing else knows, and its life.

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
    # The operator's pages may have a port of their own.
    # shellcheck disable=SC2154 # `append` is set by the options.
    if [[ $append =~ (^|' ')operator_port=([0-9]+) ]] && ! grep -qx "${BASH_REMATCH[2]}" <<<"${ports:-8080}"; then
        echo "${BASH_REMATCH[2]}"
    fi
}

# Forwards the host's ports to the tenants' and leaves QEMU's words for it in `forwards`.
forward_ports() {
    forwards=''
    local host=$port guest
    for guest in $(tenant_ports); do
        if [ -z "$host" ]; then
            host=$guest
            check_port_is_free "$host" "give the tenant another one in functions.json"
        fi
        forwards+=",hostfwd=tcp:127.0.0.1:$host-:$guest"
        [ "$host" = "$guest" ] || say "127.0.0.1:$host leads to the machine's port $guest"
        host=''
    done
}

describe_machine() {
    # The firmware is named, since what QEMU takes by itself is qboot in Debian 12 and SeaBIOS in Debian 13. QEMU puts
    # the kernel's file at the very end of memory, and there SeaBIOS keeps the ACPI tables.
    # shellcheck disable=SC2054 # The commas are QEMU's.
    qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
        -M "microvm,acpi=on,ioapic2=off,pit=on,pic=on,rtc=on,isa-serial=on" -bios qboot.rom
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
        qemu+=(-icount "shift=${icount_shift:-0},sleep=$icount" -rtc "base=2026-01-01,clock=vm")
    fi
    # It counts in the machine's time, and its NMI makes even a kernel that hangs say where.
    if [ "$restart" = yes ]; then
        qemu+=(-device ib700 -watchdog-action inject-nmi)
        append+=" watchdog=on"
    fi
    if [ "$gdb" = yes ]; then
        qemu+=(-S -gdb "tcp:127.0.0.1:$gdb_port")
    fi
    if [ -n "$core" ]; then describe_keeper; fi
    if [ "$image" != none ]; then
        qemu+=(-drive "if=none,id=disk,format=raw,readonly=on,file=${image//,/,,}")
        attach virtio-blk-device,drive=disk
    fi
    if [ -n "$wire" ]; then
        qemu+=(-netdev "dgram,id=net,local.type=unix,local.path=$wire/machine,remote.type=unix,remote.path=$wire/wire")
    else
        forward_ports
        qemu+=(-netdev "user,id=net,ipv6=off$forwards")
    fi
    attach virtio-net-device,netdev=net
    attach virtio-rng-device
    if [ "$batch" = yes ]; then append+=" batch"; fi
    qemu+=(-kernel "$loader" -initrd "$kernel" -append "${append# }")
}

qemu_pid='' timer_pid='' watch_pid='' keeper_pid='' pause_pid='' qemu_status=''

# shellcheck disable=SC2317 # Runs at the end of the script, whatever ends it.
end_machine() {
    local pid
    for pid in $timer_pid $watch_pid $keeper_pid $pause_pid $qemu_pid; do kill "$pid" 2>/dev/null || true; done
    [ -z "$qemu_pid" ] || wait "$qemu_pid" 2>/dev/null || true
    rm -rf "$run"
}

# Says what to do next, while the machine starts.
invite() {
    if [ "$gdb" = yes ]; then
        local port_of_gdb=''
        if [ "$gdb_port" != 1234 ]; then port_of_gdb="-ex 'set \$luge_port = $gdb_port' "; fi
        say "stopped at the first instruction; in another terminal:"
        printf '      gdb %s-x tests/gdb/luge.py\n' "$port_of_gdb" >&2
    elif [ "$batch" = no ] && [ "$image" != none ]; then
        say "on http://127.0.0.1:$port/ as soon as it says 'ready'; Ctrl-C ends it"
    fi
}

# Clock ticks of processor time in a second: proc(5), "/proc/pid/stat".
ticks_per_second=$(getconf CLK_TCK 2>/dev/null || echo 100)

# Processor time that QEMU has used so far, in ticks, into `used`. Fails when QEMU is gone.
read_used() {
    local stat
    read -r stat 2>/dev/null <"/proc/$qemu_pid/stat" || return 1
    # The name of the program stands in brackets and may have blanks in it.
    read -ra stat <<<"${stat##*) }"
    used=$((stat[11] + stat[12]))
}

# For `--cpu-timeout`: ends with 0 when QEMU has used its processor time, and with 4 when it has used next to none,
# a hundredth of the time, since a moment that is so long ago. A machine that works gets more on the busiest of hosts.
watch_cpu() {
    local used=0 mark=0 since=$SECONDS
    while sleep 0.5; do
        # Whoever waits for QEMU hears of its end first.
        read_used || { sleep 10 && return 0; }
        if ((used >= cpu_timeout * ticks_per_second)); then return 0; fi
        if (((used - mark) * 100 > (SECONDS - since) * ticks_per_second)); then mark=$used since=$SECONDS; fi
        if ((SECONDS - since >= cpu_timeout)); then return 4; fi
    done
}

# Starts QEMU and waits for its end; `setpriv` sees to it that QEMU ends even if this script is killed.
run_machine() {
    local keep=() ended
    if setup_has setpriv; then keep=(setpriv --pdeathsig KILL --); fi
    invite
    "${keep[@]}" "${qemu[@]}" </dev/null &
    qemu_pid=$!
    if [ -n "$core" ]; then
        keep_core &
        keeper_pid=$!
    fi
    # A time is for all starts together.
    if [ -n "$timeout" ] && [ -z "$timer_pid" ]; then
        sleep "$timeout" &
        timer_pid=$!
    fi
    if [ -n "$cpu_timeout" ]; then
        # What it starts may outlive it, and must not hold open what this script says.
        watch_cpu >/dev/null 2>&1 &
        watch_pid=$!
    fi
    qemu_status=0
    # shellcheck disable=SC2086 # Without a timer there is no second word.
    wait -n -p ended $qemu_pid $timer_pid $watch_pid || qemu_status=$?
    if [ "$ended" != "$qemu_pid" ]; then
        local after="$timeout seconds"
        if [ "$ended" = "$watch_pid" ]; then after="$cpu_timeout seconds of processor time"; fi
        if [ "$qemu_status" = 4 ]; then after="$cpu_timeout seconds without any work"; fi
        complain "no end after $after; QEMU is ended, and the machine was here:"
        locate
        if [ -n "$core" ]; then keep_core_of_hang; fi
        exit 124
    fi
    qemu_pid=''
    if [ -n "$watch_pid" ]; then
        kill "$watch_pid" 2>/dev/null || true
        wait "$watch_pid" 2>/dev/null || true
        watch_pid=''
    fi
}
