;; Grows its memory page by page until it gets no more, which is no reason to end: -1 is an answer.
;;
;;   outcome   exit 0
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))))
