;; Sleeps for two milliseconds two hundred times, and says by how much it woke too late at most.
;;
;;   stdout    the most nanoseconds, in sixteen hexadecimal digits
;;   exit      0
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; 0x100: a subscription to the monotonic clock (1 at 16), at a time (at 24) that is absolute (1 at 40). 0x200: events.
  ;; 0x300: a buffer of sixteen bytes at 0x310.
  (data (i32.const 0x110) "\01")
  (data (i32.const 0x128) "\01")
  (data (i32.const 0x300) "\10\03\00\00\10\00\00\00")
  (func $now (result i64)
    (drop (call $time (i32.const 1) (i64.const 1) (i32.const 0)))
    (i64.load (i32.const 0)))
  (func (export "_start")
    (local $left i32) (local $until i64) (local $late i64) (local $most i64) (local $at i32)
    (local.set $left (i32.const 200))
    (loop $again
      (local.set $until (i64.add (call $now) (i64.const 2000000)))
      (i64.store (i32.const 0x118) (local.get $until))
      (drop (call $poll (i32.const 0x100) (i32.const 0x200) (i32.const 1) (i32.const 8)))
      (local.set $late (i64.sub (call $now) (local.get $until)))
      (if (i64.gt_s (local.get $late) (local.get $most)) (then (local.set $most (local.get $late))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (local.set $at (i32.const 0x31f))
    (loop $digits
      (i32.store8 (local.get $at)
        (i32.add
          (i32.wrap_i64 (i64.and (local.get $most) (i64.const 15)))
          (select (i32.const 87) (i32.const 48)
            (i64.gt_u (i64.and (local.get $most) (i64.const 15)) (i64.const 9)))))
      (local.set $most (i64.shr_u (local.get $most) (i64.const 4)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $digits (i32.ge_u (local.get $at) (i32.const 0x310))))
    (drop (call $write (i32.const 1) (i32.const 0x300) (i32.const 1) (i32.const 8)))))
