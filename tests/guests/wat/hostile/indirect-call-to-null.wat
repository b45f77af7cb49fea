;; Calls through a table entry that nobody has set.
;;
;;   outcome   trap indirect-call-to-null
(module
  (memory (export "memory") 1)
  (table 1 1 funcref)
  (func (export "_start") (call_indirect (i32.load (i32.const 0)))))
