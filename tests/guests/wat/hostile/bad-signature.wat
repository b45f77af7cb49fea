;; Calls a function of one parameter as if it had none.
;;
;;   outcome   trap bad-signature
(module
  (memory (export "memory") 1)
  (table 1 1 funcref)
  (elem (i32.const 0) $one)
  (func $one (param i32))
  (func (export "_start") (call_indirect (i32.load (i32.const 0)))))
