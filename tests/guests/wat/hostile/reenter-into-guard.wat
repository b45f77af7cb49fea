;; As reenter, but the kernel does not look at what is left of the stack: the guard page does.
;;
;;   outcome   trap stack-overflow
(module
  (import "luge_scenario" "reenter_into_guard" (func $reenter))
  (memory (export "memory") 1)
  (func $again (export "again") (call $reenter))
  (func (export "_start") (call $again)))
