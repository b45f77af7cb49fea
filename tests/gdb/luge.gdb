# Debugs a machine that `./qemu-run.sh --gdb` has stopped at its first instruction:
#
#     gdb -x tests/gdb/luge.gdb        (in the top folder of the tree)
#
# The symbols of loader and kernel are there from the first instruction, so `break kernel_main` works
# before the kernel is in memory, and `continue` gets there. The machine starts in 16-bit code of the
# firmware, which no symbol describes; the first instruction of ours is `pvh_entry`.
#
# `set $luge_kernel = "…"`, `$luge_loader` and `$luge_port` before this file is read debug other images
# or another port, for instance `gdb -ex 'set $luge_port = 4321' -x tests/gdb/luge.gdb`.

set pagination off
set confirm off
# QEMU describes the machine by 64-bit registers in every mode of the CPU.
set architecture i386:x86-64

if $_isvoid($luge_kernel)
  file target/x86_64-unknown-unknown/release/luge-kernel
else
  eval "file %s", $luge_kernel
end
if $_isvoid($luge_loader)
  add-symbol-file target/x86_64-unknown-unknown/release/luge-pvh
else
  eval "add-symbol-file %s", $luge_loader
end
if $_isvoid($luge_port)
  set $luge_port = 1234
end

# The kernel's addresses are not mapped before the loader has done its work; its code is in the file.
set trust-readonly-sections on

eval "target remote 127.0.0.1:%d", $luge_port
