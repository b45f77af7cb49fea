#!/usr/bin/env bash
# Builds Luge, makes a disk out of WebAssembly functions, and boots both in QEMU. `--help` lists the options.
#
# This file says what happens, in order. The parts are in `boot/qemu`: what can be asked for (`options.sh`), what is
# booted (`images.sh`), the machine and QEMU's flags (`machine.sh`), what is kept of it (`core.sh`), what its end
# means (`ending.sh`), and whether it is started again (`restart.sh`).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.cargo/setup.sh
. "$root/.cargo/setup.sh"
for part in speech options images machine core ending restart; do
    # shellcheck source=/dev/null disable=SC2154
    . "$root/boot/qemu/$part.sh"
done

# shellcheck disable=SC2154 # `port` is set by the options.
main() {
    parse_options "$@"
    check_port_is_free "$port" "choose another one: ./qemu-run.sh --port $((port == 65535 ? 8080 : port + 1))"
    make_run_directory
    trap end_machine EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    set_up
    build_everything
    describe_machine
    if [ "$restart" = yes ]; then run_again_and_again; fi
    run_machine
    report_end
}

main "$@"
