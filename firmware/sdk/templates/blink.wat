;; Blinks pin 0, five times, half a second each.
;; The task's resources must hold the pin: gpio:[0-0]
(module
  (import "mma" "log" (func $log (param $text i32) (param $length i32) (result i32)))
  (import "mma" "sleep_us" (func $sleep_us (param i64)))
  (import "mma" "gpio_mode" (func $gpio_mode (param $pin i32) (param $mode i32) (result i32)))
  (import "mma" "gpio_write" (func $gpio_write (param $pin i32) (param $level i32) (result i32)))

  (memory 64 (pagesize 1))
  (data (i32.const 0) "pin 0 is not mine")
  (data (i32.const 32) "blinked 5 times")

  (global $pin i32 (i32.const 0))
  (global $half i64 (i64.const 250000)) ;; microseconds
  (global $output i32 (i32.const 1)) ;; enum mma_gpio_mode

  (func $drive (param $level i32)
    (drop (call $gpio_write (global.get $pin) (local.get $level)))
    (call $sleep_us (global.get $half)))

  (func (export "main") (result i32)
    (local $left i32)
    (if (call $gpio_mode (global.get $pin) (global.get $output))
      (then
        (drop (call $log (i32.const 0) (i32.const 17)))
        (return (i32.const 1))))
    (local.set $left (i32.const 5))
    (loop $again
      (call $drive (i32.const 1))
      (call $drive (i32.const 0))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (drop (call $log (i32.const 32) (i32.const 15)))
    (i32.const 0)))
