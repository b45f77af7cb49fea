;; Looks for anything but zero in a memory that it never wrote to, also in what it grows by.
;;
;;   outcome   exit 0; unreachable if something of another's is there
(module
  (memory (export "memory") 32)
  (func (export "_start") (local $at i32)
    (if (i32.eq (memory.grow (i32.const 32)) (i32.const -1)) (then unreachable))
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 0x400000))))))
