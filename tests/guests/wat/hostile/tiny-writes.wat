;; Gives the CPU back and writes one byte, twenty thousand times.
;;
;;   stdout    20000 times the letter x
;;   exit      0, 1 if a write was not taken whole
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; One buffer: the byte at 16.
  (data (i32.const 0) "\10\00\00\00\01\00\00\00")
  (data (i32.const 16) "x")
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 20000))
    (loop $again
      (drop (call $yield))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $exit (i32.const 1))))
      (if (i32.ne (i32.load (i32.const 8)) (i32.const 1)) (then (call $exit (i32.const 1))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))))
