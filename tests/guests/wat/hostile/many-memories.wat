;; Wants eleven memories, to get more than one limit's worth.
;;
;;   at boot   refused
(module
  (memory (export "memory") 1)
  (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)
  (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)
  (func (export "_start")))
