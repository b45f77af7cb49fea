;; A command that keeps its memory to itself.
;;
;;   at boot   refused, it does not export memory
(module
  (memory 1)
  (func (export "_start")))
