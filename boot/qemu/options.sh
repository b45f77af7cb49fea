# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # The parts share their variables.
# The options of `qemu-run.sh`: what they are, and what was said.

usage() {
    cat <<'END'
usage: ./qemu-run.sh [OPTION…]

Boots the unikernel in QEMU and serves its functions on 127.0.0.1 until Ctrl-C.

  ./qemu-run.sh                              the example functions, on port 8080
  ./qemu-run.sh --modules DIR                your own functions
  ./qemu-run.sh --modules DIR --batch        run each of them once, and report

What is served:
  --modules DIR       take the functions from DIR: each NAME.wasm becomes the route /NAME, unless a
                      functions.json in DIR says otherwise (default: the examples of tests/guests)
  --allow-invalid     leave out the modules of DIR that would be refused, say so, and serve the others
                      (default: a bad module is an error)
  --image FILE        boot this disk instead of making one
  --port N            the host's port of the first tenant (default: 8080); further tenants are reached
                      at the ports that functions.json gives them
  --engine NAME       wasmi, the interpreter, or wasmtime: native code only, which is compiled for the disk
                      that is made (default: native code where the disk has it, else the interpreter)
  --batch             run every function of the disk once, report, and power off

The machine:
  --memory SIZE       memory of the machine, for instance 512M (default: 256M)
  --smp K             processors (only 1 for now)
  --accel NAME        tcg or kvm (default: kvm on real hardware that has it, else tcg)
  --timeout S         end the machine after S seconds
  --restart           start the machine again, after a pause that grows from 1 to 60 s, when the kernel has panicked
                      or hangs, a device failed, or the machine has reset itself or was killed
  --append 'K=V …'    add to the kernel's command line, for instance 'log=debug'

When something goes wrong:
  --gdb               stop at the first instruction and wait for gdb; in another terminal:
                      gdb -x tests/gdb/luge.py
  --core FILE         if the kernel panics, resets or hangs, keep the machine's memory in FILE; then:
                      gdb -c FILE -x tests/gdb/luge.py
  --help              this text

For tests:
  --kernel FILE       boot this kernel instead of building one
  --loader FILE       the same for the loader
  --image none        boot with no disk
  --cpu-timeout S     end the machine after S seconds of the host's processor time, or when it has used none
                      for S seconds: how busy the host is with something else makes no difference
  --icount            count time in instructions: 1 ns of the machine's time is one instruction
  --icount-served     as --icount, but a machine with nothing to do waits in the host's time, so that
                      time-outs of connections mean something
  --icount-shift N    with either of them, an instruction takes 2 to the power of N ns (0 to 10; default 0): minutes
                      of the machine's time pass on the host in seconds
  --cpu NAME          the processor that QEMU plays (default: max); see qemu-system-x86_64 -cpu help
  --wire DIR          put the network card on a wire of Ethernet frames, each a datagram: the machine's socket is
                      DIR/machine, and it sends to DIR/wire (default: QEMU's user network)
  --gdb-port N        the port on which --gdb waits (default: 1234)
  --no-build          build nothing; what is missing is an error

Exit status: 0 powered off (with --batch: every function passed); 1 the build failed or QEMU would not
start; 2 wrong usage, or a tool is missing; 3 the machine reset itself; 124 timeout; 130 and 143
interrupted; 33 kernel panic; 35 a fault while a fault was handled; 37 a function failed in --batch;
39 a device is missing or failed; 65–73 the loader gave up (it says why).
END
}

modules='' image='' engine='' port=8080 memory=256M accel='' timeout='' cpu_timeout='' append='' core=''
kernel='' loader='' wire='' gdb_port=1234 cpu=max
restart=no batch=no gdb=no icount=no icount_shift='' build=yes allow_invalid=no

valued=(--modules --image --port --engine --smp --memory --accel --timeout --append --core --kernel --loader
    --wire --gdb-port --cpu --cpu-timeout --icount-shift)
plain_options=(--allow-invalid --restart --batch --gdb --icount --icount-served --no-build --help)

# check_number OPTION VALUE MOST WHAT — the value of an option is a whole number of 1 or more.
check_number() {
    [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] && [ "$2" -le "$3" ] && return 0
    die 2 "$1: '$2' is not $4" "a whole number from 1 to $3"
}
check_port() { check_number "$1" "$2" 65535 "a port"; }

# check_memory SIZE
check_memory() {
    [[ $1 =~ ^[1-9][0-9]{0,6}[MG]$ ]] || die 2 "--memory: '$1' is not a size such as 512M" "./qemu-run.sh --memory 512M"
    # Below, firmware, loader, the kernel's file and what it takes do not fit side by side. A scenario boots with as much.
    [[ $1 =~ G$ ]] || [ "${1%M}" -ge 40 ] || die 2 "--memory: $1 is too little; at least 40M"
}

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
        [ "$2" -eq 1 ] || die 2 "--smp $2: more than one processor: not yet" "leave --smp out"
        ;;
    --memory)
        check_memory "$2"
        memory=$2
        ;;
    --accel)
        case $2 in tcg | kvm) accel=$2 ;; *) die 2 "--accel: '$2' is neither tcg nor kvm" ;; esac
        ;;
    --timeout)
        check_number "$1" "$2" 999999999 "a number of seconds"
        timeout=$2
        ;;
    --cpu-timeout)
        check_number "$1" "$2" 9999999 "a number of seconds"
        cpu_timeout=$2
        ;;
    --icount-shift)
        [[ $2 =~ ^([0-9]|10)$ ]] || die 2 "$1: '$2' is not a power of two of nanoseconds" "a whole number from 0 to 10"
        icount_shift=$2
        ;;
    --append) append+=" $2" ;;
    --core) core=$2 ;;
    --cpu)
        [[ $2 =~ ^[A-Za-z0-9._+,=-]+$ ]] || die 2 "--cpu: '$2' is not the name of a processor" \
            "qemu-system-x86_64 -cpu help  lists them"
        cpu=$2
        ;;
    --kernel) kernel=$2 ;;
    --loader) loader=$2 ;;
    --wire) wire=$2 ;;
    --gdb-port)
        check_port "$1" "$2"
        gdb_port=$2
        ;;
    esac
}

# is_among WORD WORD…
is_among() {
    local word=$1 other
    shift
    for other in "$@"; do [ "$word" != "$other" ] || return 0; done
    return 1
}

# distance A B — by how many letters two words differ (Levenshtein's distance), into `letters`.
distance() {
    local a=$1 b=$2 i j change before here
    local -a row
    for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
    for ((i = 1; i <= ${#a}; i++)); do
        before=$((i - 1)) row[0]=$i
        for ((j = 1; j <= ${#b}; j++)); do
            change=1 here=${row[j]}
            if [ "${a:i-1:1}" = "${b:j-1:1}" ]; then change=0; fi
            row[j]=$((before + change))
            if [ "$((here + 1))" -lt "${row[j]}" ]; then row[j]=$((here + 1)); fi
            if [ "$((row[j - 1] + 1))" -lt "${row[j]}" ]; then row[j]=$((row[j - 1] + 1)); fi
            before=$here
        done
    done
    letters=${row[${#b}]}
}

# unknown_option WORD — says what was perhaps meant.
unknown_option() {
    local word=${1%%=*} option nearest='' least=4 letters
    case $word in
    *.wasm) die 2 "unknown option '$1'" "a folder with modules in it is served by: ./qemu-run.sh --modules $(dirname "$1")" ;;
    -*) ;;
    *) if [ -d "$word" ]; then die 2 "unknown option '$1'" "its modules are served by: ./qemu-run.sh --modules $1"; fi ;;
    esac
    for option in "${valued[@]}" "${plain_options[@]}"; do
        distance "$word" "$option"
        if [ "$letters" -lt "$least" ]; then nearest=$option least=$letters; fi
    done
    local all="all options: ./qemu-run.sh --help"
    if [ -n "$nearest" ]; then die 2 "unknown option '$1'" "did you mean $nearest?" "$all"; fi
    die 2 "unknown option '$1'" "$all"
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h)
            usage
            exit 0
            ;;
        --allow-invalid) allow_invalid=yes ;;
        --restart) restart=yes ;;
        --batch) batch=yes ;;
        --gdb) gdb=yes ;;
        --icount) icount=off ;;
        --icount-served) icount=on ;;
        --no-build) build=no ;;
        *)
            if is_among "$1" "${valued[@]}"; then
                [ $# -ge 2 ] || die 2 "$1 needs a value" "./qemu-run.sh --help  says which"
                set_option "$1" "$2"
                shift
            elif [[ $1 == --*=* ]] && is_among "${1%%=*}" "${valued[@]}"; then
                set_option "${1%%=*}" "${1#*=}"
            else
                unknown_option "$1"
            fi
            ;;
        esac
        shift
    done
    check_options
}

check_options() {
    [ -z "$modules" ] || [ -z "$image" ] || die 2 "--modules and --image exclude each other" \
        "an image has its functions on it already"
    [ "$allow_invalid" = no ] || [ -z "$image" ] || die 2 "--allow-invalid and --image exclude each other" \
        "it is for the disk that is made; what the kernel refuses of an image, it leaves out anyway"
    [ "$restart" = no ] || [ "$batch" = no ] || die 2 "--restart and --batch exclude each other" \
        "each function is to run once"
    [ "$restart" = no ] || [ "$gdb" = no ] || die 2 "--restart and --gdb exclude each other" \
        "a machine that is looked at stays as it is"
    if [ -f "$modules" ]; then
        die 2 "--modules: '$modules' is a file" "name the folder that it is in: --modules $(dirname "$modules")"
    fi
    [ -z "$modules" ] || [ -d "$modules" ] || die 2 "--modules: there is no directory '$modules'"
    [ -z "$image" ] || [ "$image" = none ] || [ -f "$image" ] || die 2 "--image: there is no file '$image'" \
        "make one of a folder of modules: cargo run -q -p luge-image -- build FOLDER $image"
    [ -z "$wire" ] || [ -d "$wire" ] || die 2 "--wire: there is no directory '$wire'"
    [ -z "$kernel" ] || [ -f "$kernel" ] || die 2 "--kernel: there is no file '$kernel'"
    [ -z "$loader" ] || [ -f "$loader" ] || die 2 "--loader: there is no file '$loader'"
    if [ -n "$core" ]; then
        [ -d "$(dirname "$core")" ] || die 2 "--core: there is no directory '$(dirname "$core")'"
        [ ! -d "$core" ] || die 2 "--core: '$core' is a directory" "name a file: --core $core/luge.core"
        core=$(cd "$(dirname "$core")" && pwd)/$(basename "$core")
    fi
    choose_accelerator
}

# KVM inside of another virtual machine may interpret the guest's code and be a thousand times slower
# than TCG, so the mere presence of /dev/kvm does not speak for it.
choose_accelerator() {
    if [ "$accel" = kvm ]; then
        [ -w /dev/kvm ] || die 2 "--accel kvm: /dev/kvm is not there, or not yours to open" "leave --accel out"
    elif [ -z "$accel" ]; then
        accel=tcg
        if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo && ! grep -qw hypervisor /proc/cpuinfo; then
            accel=kvm
        fi
    fi
    if [ -n "$icount_shift" ] && [ "$icount" = no ]; then
        die 2 "--icount-shift needs --icount or --icount-served" "without them time is the host's"
    fi
    if [ "$accel" = kvm ] && [ "$icount" != no ]; then die 2 "--icount needs --accel tcg"; fi
    if [ "$accel" = kvm ] && [ "$cpu" != max ]; then die 2 "--cpu needs --accel tcg"; fi
}

# Somebody who listens there already would get the requests; QEMU would notice, but only after the build.
# check_port_is_free PORT NEXT
check_port_is_free() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        die 2 "port $1 of 127.0.0.1 is taken" "$2"
    fi
}
