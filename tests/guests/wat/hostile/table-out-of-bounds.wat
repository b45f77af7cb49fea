;; Calls through entry 7 of a table of one.
;;
;;   outcome   trap table-out-of-bounds
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\07")
  (table 1 1 funcref)
  (func (export "_start") (call_indirect (i32.load (i32.const 0)))))
