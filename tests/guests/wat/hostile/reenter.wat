;; Has the kernel call it back from a host call, for ever: each level lies on the native stack.
;;
;;   outcome   trap stack-overflow
(module
  (import "luge_scenario" "reenter" (func $reenter))
  (memory (export "memory") 1)
  (func $again (export "again") (call $reenter))
  (func (export "_start") (call $again)))
