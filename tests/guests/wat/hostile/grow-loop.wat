;; Grows its memory by nothing, a million times. In a build of wasmi that hopes for sibling calls each turn
;; leaves a frame on the native stack, which ends in the stack's guard; in ours it is just a loop.
;;
;;   exit      0; with sibling calls: trap stack-overflow
(module
  (memory (export "memory") 1)
  (func (export "_start") (local $nothing i32) (local $left i32)
    (local.set $left (i32.const 1000000))
    (loop $again
      (drop (memory.grow (local.get $nothing)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
