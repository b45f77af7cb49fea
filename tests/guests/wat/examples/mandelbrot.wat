;; A picture of the Mandelbrot set: for each pixel, how many turns of z -> z*z + c it takes to leave
;; the circle of radius 2.
;;
;;   stdout   a binary PGM (P5) of 64 by 48 pixels: the number of turns, at most 255
;;   exit     0, or 1 if the answer cannot be written
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; At 0 one buffer: the header and the pixels, from 16 on. At 8 how much was written.
  (data (i32.const 0) "\10\00\00\00\0d\0c\00\00")
  (data (i32.const 16) "P5\n64 48\n255\n")

  (global $width i32 (i32.const 64))
  (global $height i32 (i32.const 48))
  (global $pixels i32 (i32.const 29))
  (global $most_turns i32 (i32.const 255))

  (func $turns (param $cx f64) (param $cy f64) (result i32)
    (local $x f64) (local $y f64) (local $xx f64) (local $yy f64) (local $turn i32)
    (loop $again
      (local.set $xx (f64.mul (local.get $x) (local.get $x)))
      (local.set $yy (f64.mul (local.get $y) (local.get $y)))
      (if (i32.and
            (f64.le (f64.add (local.get $xx) (local.get $yy)) (f64.const 4))
            (i32.lt_u (local.get $turn) (global.get $most_turns)))
        (then
          (local.set $y
            (f64.add
              (f64.mul (f64.const 2) (f64.mul (local.get $x) (local.get $y)))
              (local.get $cy)))
          (local.set $x
            (f64.add (f64.sub (local.get $xx) (local.get $yy)) (local.get $cx)))
          (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
          (br $again))))
    (local.get $turn))

  ;; The real axis from -2.25 to 0.75, the imaginary one from -1.125 to 1.125: a pixel is 3/64.
  (func $draw
    (local $row i32) (local $column i32)
    (loop $rows
      (local.set $column (i32.const 0))
      (loop $columns
        (i32.store8
          (i32.add
            (global.get $pixels)
            (i32.add (i32.mul (local.get $row) (global.get $width)) (local.get $column)))
          (call $turns
            (f64.sub
              (f64.mul (f64.convert_i32_u (local.get $column)) (f64.const 0.046875))
              (f64.const 2.25))
            (f64.sub
              (f64.mul (f64.convert_i32_u (local.get $row)) (f64.const 0.046875))
              (f64.const 1.125))))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $column) (global.get $width))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $row) (global.get $height)))))

  ;; Writes the buffer at 0, which moves on by what was written, until nothing is left of it.
  (func $answer
    (loop $again
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $proc_exit (i32.const 1))))
      (i32.store (i32.const 0)
        (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 8))))
      (i32.store (i32.const 4)
        (i32.sub (i32.load (i32.const 4)) (i32.load (i32.const 8))))
      (br_if $again (i32.load (i32.const 4)))))

  (func (export "_start")
    (call $draw)
    (call $answer)))
