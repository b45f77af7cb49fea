#!/usr/bin/env bash
# An initrd whose size is no multiple of 4 KiB overwrites ACPI tables on QEMU's `microvm` with SeaBIOS.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 and seabios 1.16.2-1 (this script), and by hand with
# 1:10.0.2+ds-2+deb13u1~bpo12+1 and seabios 1.16.3-2~bpo12+1, where SeaBIOS is the default firmware of
# `-M microvm,acpi=on`; Debian 12's QEMU takes qboot by itself, which puts the tables elsewhere.
#
# QEMU puts an initrd as high in memory as it fits, aligned to 4 KiB. SeaBIOS keeps the tables in the last 4 KiB, says
# so in its memory map, and starts the PVH kernel, whose option ROM copies the initrd there afterwards. So
# with an initrd of 1 MiB the last page stays as it was; with one of 1 MiB and 4,000 bytes, what the XSDT points to is
# the initrd's. A kernel that wants the tables (power-off, processors) finds no FADT and no MADT, and one that takes its
# initrd for usable memory is told that its end lies in reserved memory. Expected: an initrd below what is reserved.
#
#     initrd of 1048576 bytes: FACP APIC
#     initrd of 1052576 bytes: AAAA AAAA
#
# Runs without Luge; wants apt-get of Debian 12 and python3. Ends with 0 if QEMU still behaves like this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
packages=(qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 qemu-system-common=1:7.2+dfsg-7+deb12u18+b3
    qemu-system-data=1:7.2+dfsg-7+deb12u18 seabios=1.16.2-1)
# With them the libraries that are not installed.
wanted=$(apt-get -s -o Dir::State::status=/dev/null install --no-install-recommends "${packages[@]}" |
    awk '$1 == "Inst" { print $2 "=" substr($3, 2) }' |
    while read -r package; do
        dpkg-query -W "${package%%=*}" >/dev/null 2>&1 && [[ $package != qemu-* && $package != seabios* ]] ||
            echo "$package"
    done)
# shellcheck disable=SC2086 # A word for each package.
apt-get -q download $wanted >log 2>&1 || { cat log && exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done

cat >probe.py <<'END_OF_PROBE'
import struct, subprocess, sys

root, size = sys.argv[1], int(sys.argv[2])
# A kernel that halts: ELF with Xen's note of the PVH entry (type 18).
code, entry, offset = b"\xfa\xf4\xeb\xfd", 0x100000, 52 + 64 + 20
kernel = b"\x7fELF\x01\x01\x01" + bytes(9)
kernel += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, 2, 0, 0, 0)
kernel += struct.pack("<8I", 1, offset, entry, entry, len(code), len(code), 5, 1)
kernel += struct.pack("<8I", 4, 116, 0, 0, 20, 20, 4, 4)
kernel += struct.pack("<3I4sI", 4, 4, 18, b"Xen\0", entry) + code
open("kernel", "wb").write(kernel)
open("initrd", "wb").write(b"A" * size)
machine = subprocess.Popen(
    [root + "/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
     "-M", "microvm,acpi=on", "-bios", root + "/usr/share/seabios/bios-microvm.bin", "-L", root + "/usr/share/qemu",
     "-m", "256M", "-kernel", "kernel", "-initrd", "initrd", "-monitor", "stdio"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
# The kernel runs as soon as the processor halts at its second instruction.
for line in iter(lambda: (machine.stdin.write("info registers\n"), machine.stdin.flush(), machine.stdout.readline())[2], ""):
    if "EIP=00100002" in line and "HLT=1" in line:
        break
machine.stdin.write('pmemsave 0xe0000 0x20000 low\npmemsave 0x0ff00000 0x100000 top\nquit\n')
machine.communicate()
low, top = open("low", "rb").read(), open("top", "rb").read()
at = lambda address: top[address - 0xFF00000:]
rsdp = low[low.index(b"RSD PTR "):]
xsdt = at(struct.unpack("<Q", rsdp[24:32])[0])
length = struct.unpack("<I", xsdt[4:8])[0]
tables = struct.unpack("<%dQ" % ((length - 36) // 8), xsdt[36:length])
print("initrd of %d bytes:" % size, *(at(table)[:4].decode() for table in tables))
END_OF_PROBE
export LD_LIBRARY_PATH=$PWD/root/usr/lib/x86_64-linux-gnu:$PWD/root/lib/x86_64-linux-gnu
for size in 1048576 1052576; do python3 probe.py root $size; done | tee seen
diff seen - <<'END_OF_SEEN'
initrd of 1048576 bytes: FACP APIC
initrd of 1052576 bytes: AAAA AAAA
END_OF_SEEN
