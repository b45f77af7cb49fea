;; Has a host call use more stack than the kernel has for it: the kernel's own fault.
;;
;;   outcome   the kernel panics
(module
  (import "luge_scenario" "kernel_overflow" (func $overflow))
  (memory (export "memory") 1)
  (func (export "_start") (call $overflow)))
