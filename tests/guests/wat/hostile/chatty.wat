;; Writes to the log and to the response as fast as it can, for ever.
;;
;;   outcome   over its deadline, or exit 1 once the response takes no more
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; One buffer: 16 bytes at 16, with an escape sequence, a NUL and bytes that are no text.
  (data (i32.const 0) "\10\00\00\00\10\00\00\00")
  (data (i32.const 16) "\1b[31mred\00\ff\fe\07!!\0a")
  (func (export "_start")
    (loop $again
      (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $exit (i32.const 1))))
      (br $again))))
