;; Wants a function that there is, with a type that it does not have.
;;
;;   at boot   refused, names the import and both types
(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")))
