;; Never ends. Only preemption takes the processor from it, and only its deadline ends it.
;;
;;   outcome   over its deadline
(module
  (memory (export "memory") 1)
  (func (export "_start") (loop $again (br $again))))
