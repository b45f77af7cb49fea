;; Does nothing: what is left of a request's cost when the function costs nothing.
;;
;;   stdout   nothing
;;   exit     0
(module
  (memory (export "memory") 1)
  (func (export "_start")))
