;; Fills its memory with what the next one must not find: `look-around` comes after it.
;;
;;   outcome   exit 0
(module
  (memory (export "memory") 64)
  (func (export "_start")
    (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 0x400000))))
