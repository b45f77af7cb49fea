;; Has a real store executed, where guest code is, to an address that is nobody's.
;;
;;   outcome   trap memory-out-of-bounds
(module
  (import "luge_scenario" "wild_write" (func $write (param i64)))
  (memory (export "memory") 1)
  (func (export "_start") (call $write (i64.const 0x0000_4000_dead_0000))))
