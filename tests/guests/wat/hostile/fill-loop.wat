;; Fills all of a large memory, for ever. Nearly all the time passes in the engine's `memset`, outside
;; of its executor: preemption must reach it there too.
;;
;;   outcome   over its deadline
(module
  (memory (export "memory") 512)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x2000000))
      (br $again))))
