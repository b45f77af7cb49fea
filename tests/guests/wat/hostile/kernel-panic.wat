;; Has a host call panic.
;;
;;   outcome   the kernel panics
(module
  (import "luge_scenario" "kernel_panic" (func $panic))
  (memory (export "memory") 1)
  (func (export "_start") (call $panic)))
