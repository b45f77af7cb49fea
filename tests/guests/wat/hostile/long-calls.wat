;; Makes host calls that take as long as any can, one after the other, twenty times. Wants room for 20 MiB in /tmp.
;;
;; Before that: 4,000 files, a directory, and forty symbolic links, each of which has 1,638 names on its way to the next.
;;
;;   exit      0, or the place below of what failed
(module
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread"
    (func $pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite"
    (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir"
    (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $stat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 64)
  ;; 0: where results go. 0x100: a name of four digits. 0x110: "a". 0x120: the name of a file. 0x200: one buffer, of a
  ;; megabyte at 0x200000. 0x1000: 1,024 buffers of a byte. 0x4000: sixteen kilobytes of lines of two escapes each.
  ;; 0x10000: what a link points to.
  (data (i32.const 0x110) "a")
  (data (i32.const 0x120) "long")
  (data (i32.const 0x200) "\00\00\20\00\00\00\10\00")
  (func $check (param $errno i32) (param $place i32)
    (if (local.get $errno) (then (call $exit (local.get $place)))))
  ;; The number as four digits, at an address.
  (func $digits (param $at i32) (param $number i32) (local $left i32)
    (local.set $left (i32.const 4))
    (loop $again
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (i32.store8 (i32.add (local.get $at) (local.get $left))
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $again (local.get $left))))
  ;; Opens a name of four bytes below /tmp, which is made if need be. Gives the descriptor.
  (func $file (param $name i32) (result i32)
    (call $check
      (call $open (i32.const 3) (i32.const 0) (local.get $name) (i32.const 4) (i32.const 1)
        (i64.const 0x0060_0046) (i64.const 0) (i32.const 0) (i32.const 0))
      (i32.const 10))
    (i32.load (i32.const 0)))
  (func $prepare (local $number i32) (local $at i32)
    (loop $files
      (call $digits (i32.const 0x100) (i32.add (local.get $number) (i32.const 1000)))
      (call $check (call $close (call $file (i32.const 0x100))) (i32.const 11))
      (local.set $number (i32.add (local.get $number) (i32.const 1)))
      (br_if $files (i32.lt_u (local.get $number) (i32.const 4000))))
    (call $check (call $create_directory (i32.const 3) (i32.const 0x110) (i32.const 1)) (i32.const 12))
    ;; "a/../" 818 times, and then the next link's name: 4,094 bytes.
    (local.set $at (i32.const 0x10000))
    (loop $names
      (i32.store (local.get $at) (i32.const 0x2e2e_2f61))
      (i32.store8 offset=4 (local.get $at) (i32.const 0x2f))
      (local.set $at (i32.add (local.get $at) (i32.const 5)))
      (br_if $names (i32.lt_u (local.get $at) (i32.const 0x10ffa))))
    (local.set $number (i32.const 0))
    (loop $links
      (call $digits (i32.const 0x100) (local.get $number))
      (call $digits (local.get $at) (i32.add (local.get $number) (i32.const 1)))
      (call $check
        (call $symlink (i32.const 0x10000) (i32.sub (i32.add (local.get $at) (i32.const 4)) (i32.const 0x10000))
          (i32.const 3) (i32.const 0x100) (i32.const 4))
        (i32.const 13))
      (local.set $number (i32.add (local.get $number) (i32.const 1)))
      (br_if $links (i32.lt_u (local.get $number) (i32.const 40))))
    (call $check (call $close (call $file (local.get $at))) (i32.const 14))
    (call $digits (i32.const 0x100) (i32.const 0))
    (local.set $at (i32.const 0x1000))
    (loop $buffers
      (i32.store (local.get $at) (i32.const 0x200000))
      (i32.store offset=4 (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $buffers (i32.lt_u (local.get $at) (i32.const 0x3000))))
    (local.set $at (i32.const 0x4000))
    (loop $lines
      (i32.store (local.get $at) (i32.const 0x0a07_1b07))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $lines (i32.lt_u (local.get $at) (i32.const 0x8000)))))
  (func (export "_start") (local $file i32) (local $left i32)
    (local.set $left (i32.const 20))
    (call $prepare)
    (local.set $file (call $file (i32.const 0x120)))
    (loop $again
      (call $check
        (call $stat (i32.const 3) (i32.const 1) (i32.const 0x100) (i32.const 4) (i32.const 0x40))
        (i32.const 1))
      (call $check
        (call $readdir (i32.const 3) (i32.const 0x100000) (i32.const 0x100000) (i64.const 0) (i32.const 0))
        (i32.const 2))
      (call $check (call $random (i32.const 0x100000) (i32.const 0x100000)) (i32.const 3))
      (call $check
        (call $pwrite (local.get $file) (i32.const 0x200) (i32.const 1) (i64.const 0) (i32.const 0))
        (i32.const 4))
      (call $check
        (call $pread (local.get $file) (i32.const 0x200) (i32.const 1) (i64.const 0) (i32.const 0))
        (i32.const 5))
      (call $check
        (call $pwrite (local.get $file) (i32.const 0x1000) (i32.const 1024) (i64.const 0) (i32.const 0))
        (i32.const 6))
      (call $check
        (call $pread (local.get $file) (i32.const 0x1000) (i32.const 1024) (i64.const 0) (i32.const 0))
        (i32.const 7))
      (call $check (call $set_size (local.get $file) (i64.const 0x0100_0000)) (i32.const 8))
      (call $check (call $set_size (local.get $file) (i64.const 0)) (i32.const 9))
      ;; The subscriptions are zeroes: to a clock that has come that far.
      (memory.fill (i32.const 0x300000) (i32.const 0) (i32.const 0xc000))
      (call $check
        (call $poll (i32.const 0x300000) (i32.const 0x300000) (i32.const 1024) (i32.const 0))
        (i32.const 15))
      ;; A buffer of sixteen kilobytes of lines.
      (i64.store (i32.const 0x300) (i64.const 0x4000_0000_4000))
      (call $check
        (call $write (i32.const 2) (i32.const 0x300) (i32.const 1) (i32.const 0))
        (i32.const 16))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))))
