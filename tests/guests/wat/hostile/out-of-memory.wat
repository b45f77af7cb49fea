;; Wants 4 GiB of memory before its first instruction.
;;
;;   outcome   trap out-of-memory
(module
  (memory (export "memory") 65536)
  (func (export "_start")))
