;; Reads the first four bytes after its memory, by address and by offset.
;;
;;   outcome   trap memory-out-of-bounds
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.load offset=65535 (i32.load (i32.const 0))))))
