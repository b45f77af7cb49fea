# shellcheck shell=bash
# shellcheck disable=SC2154 # `setup_target` is set by `setup.sh`.
# Packages unpacked into `tools` of the target folder, where installing them is out of the question: apt would have to
# remove something for them, or this user may not install. A part of `setup.sh`.
#
# Nothing of this needs root or changes what is installed. What is unpacked are the packages that installing would
# bring, so libraries that the machine has are not there a second time.

# setup_unpack NAME PACKAGE… — unpacks packages and what they need into the folder NAME. `setup_wrap_NAME` then says
# how their commands are started, and `setup_try_NAME` whether they do.
setup_unpack() {
    local name=$1 folder=$setup_target/tools/$1 other
    setup_has apt-get && setup_has dpkg-deb || return 1
    setup_say "unpacking ${*:2} into $folder"
    rm -rf "$folder"
    # Runs that were ended could not clean up.
    for other in "$folder".new.*; do [ -d "/proc/${other##*.}" ] || rm -rf "$other"; done
    mkdir -p "$folder.new.$$/packages/lists/partial" || return 1
    # Another run may have been quicker; then its folder serves.
    if setup_unpack_into "$folder.new.$$" "$@" >"$folder.log" 2>&1 &&
        { mv -T "$folder.new.$$" "$folder" || [ -d "$folder/bin" ]; } 2>>"$folder.log"; then
        return 0
    fi
    rm -rf "$folder.new.$$"
    setup_say "$name could not be unpacked: $(setup_reason "$folder.log") ($folder.log)"
    return 1
}

# setup_unpack_into FOLDER NAME PACKAGE… — with the lists of packages that the machine has, or with fresh ones.
setup_unpack_into() (
    cd "$1/packages" || return 1
    local name=$2 package own
    shift 2
    own=(-o "Dir::State::lists=$PWD/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=")
    setup_download "$@" || {
        apt-get -q "${own[@]}" update
        setup_download "${own[@]}" "$@"
    } || return 1
    for package in ./*.deb; do dpkg-deb -x "$package" .. || return 1; done
    cd .. && rm -rf packages && mkdir bin && "setup_wrap_$name" && "setup_try_$name" "$PWD/bin"
)

# setup_download [-o OPTION]… PACKAGE… — these packages, and those that they need and the machine lacks, into the current
# folder. What is installed must not be asked: where a package excludes these ones, apt finds no way at all.
setup_download() {
    local options=() family wanted
    while [ "$1" = -o ]; do
        options+=("$1" "$2")
        shift 2
    done
    family=$(apt-cache "${options[@]}" show --no-all-versions "$@" | setup_sources)
    wanted=$(apt-get -s "${options[@]}" -o Dir::State::status=/dev/null install --no-install-recommends "$@" |
        awk '$1 == "Inst" { print $2 "=" substr($3, 2) }' | setup_lacking "$family")
    [ -n "$wanted" ] || return 1
    # shellcheck disable=SC2086 # A word for each package.
    apt-get -q "${options[@]}" download $wanted
}

# setup_sources — the names of the sources of the packages that are described on standard input.
setup_sources() {
    awk '/^Package:/ { source = $2 } /^Source:/ { source = $2 } /^$/ { print source }' | sort -u
}

# setup_lacking SOURCES — of the lines NAME=VERSION those that are not installed. Of packages made from SOURCES
# another version may be, which is none that will do.
setup_lacking() {
    local line source
    while read -r line; do
        source=$(dpkg-query -W -f '${db:Status-Abbrev} ${source:Package}\n' "${line%%=*}" 2>/dev/null | awk '$1 == "ii" { print $2; exit }')
        if [ -z "$source" ] || grep -qxF -- "$source" <<<"$1"; then echo "$line"; fi
    done
}

# setup_wrap COMMAND [ENVIRONMENT] [OPTIONS] — makes `bin/COMMAND`, which starts the unpacked command with its libraries;
# `$folder` in the words stands for the folder that it is in, wherever that is.
setup_wrap() {
    cat >"bin/$1" <<END
#!/bin/sh
folder=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
libraries=\$folder/usr/lib/x86_64-linux-gnu:\$folder/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH="\$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" ${2:-}
exec "\$folder/usr/bin/$1" ${3:-} "\$@"
END
    chmod +x "bin/$1"
}

# From version 10 on Debian's QEMU looks for its firmware and modules below /usr alone.
setup_wrap_qemu() {
    # shellcheck disable=SC2016 # The wrapper knows the folder.
    setup_wrap qemu-system-x86_64 'QEMU_MODULE_DIR="$folder/usr/lib/x86_64-linux-gnu/qemu"' \
        '-L "$folder/usr/share/qemu" -L "$folder/usr/share/seabios"'
}

# setup_try_qemu FOLDER — does it find its libraries and firmware?
setup_try_qemu() {
    echo quit | "$1/qemu-system-x86_64" -nodefaults -no-user-config -display none -S -accel tcg \
        -M microvm -bios qboot.rom -monitor stdio
}

setup_wrap_rust() {
    local command
    for command in cargo rustc rustdoc rust-lld cargo-clippy clippy-driver; do
        [ ! -e "usr/bin/$command" ] || setup_wrap "$command"
    done
}

setup_try_rust() { PATH=$1:$PATH cargo --version && PATH=$1:$PATH rustc --version && "$1/rust-lld" -flavor gnu --version; }
