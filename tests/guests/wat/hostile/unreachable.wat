;; Reaches the instruction that is not to be reached, which is how most guests abort.
;;
;;   outcome   trap unreachable
(module
  (memory (export "memory") 1)
  (func (export "_start") unreachable))
