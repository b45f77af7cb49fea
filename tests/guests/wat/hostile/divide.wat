;; Has a real `div` by zero executed where guest code is.
;;
;;   outcome   trap integer-divide-by-zero
(module
  (import "luge_scenario" "divide" (func $divide (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (drop (call $divide (i32.const 1) (i32.const 0)))))
