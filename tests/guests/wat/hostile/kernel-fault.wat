;; Has a host call touch an address that is nobody's: the kernel's own fault.
;;
;;   outcome   the kernel panics
(module
  (import "luge_scenario" "kernel_fault" (func $fault))
  (memory (export "memory") 1)
  (func (export "_start") (call $fault)))
