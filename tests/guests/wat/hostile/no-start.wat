;; A library, not a command: nothing to run.
;;
;;   at boot   refused, it does not export _start
(module
  (memory (export "memory") 1)
  (func (export "main")))
