;; Grows its memory by nothing, for ever. In a build of wasmi that hopes for sibling calls each turn
;; leaves a frame on the native stack, which ends in the stack's guard; in ours it is just a loop.
;;
;;   outcome   over its deadline; with sibling calls: trap stack-overflow
(module
  (memory (export "memory") 1)
  (func (export "_start") (local $nothing i32)
    (loop $again
      (drop (memory.grow (local.get $nothing)))
      (br $again))))
