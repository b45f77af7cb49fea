;; Has the kernel fault, and its fault handler fault.
;;
;;   outcome   the kernel's last words
(module
  (import "luge_scenario" "fault_in_fault_handler" (func $fault))
  (memory (export "memory") 1)
  (func (export "_start") (call $fault)))
