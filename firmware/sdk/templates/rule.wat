;; Counts to three on the device itself, by a rule: no gateway is asked, and waiting costs no CPU.
(module
  (type $handler (func (param $value i32)))
  (import "mma" "log" (func $log (param $text i32) (param $length i32) (result i32)))
  (import "mma" "result" (func $result (param $data i32) (param $length i32) (result i32)))
  (import "mma" "exit" (func $exit (param $status i32)))
  (import "mma" "on_timer" (func $on_timer (param $microseconds i64) (param $handler i32) (result i32)))
  (import "mma" "wait" (func $wait (result i64)))

  (memory 64 (pagesize 1))
  (data (i32.const 0) "tick 0")
  (table funcref (elem $nothing $tick)) ;; a handler's number is its place here

  (func $nothing (param $value i32))

  (func $tick (param $periods i32)
    (i32.store8 (i32.const 5) (i32.add (i32.load8_u (i32.const 5)) (local.get $periods)))
    (drop (call $log (i32.const 0) (i32.const 6)))
    (if (i32.ge_u (i32.load8_u (i32.const 5)) (i32.const 51)) ;; the character 3
      (then
        (drop (call $result (i32.const 5) (i32.const 1)))
        (call $exit (i32.const 0)))))

  (func (export "main") (result i32)
    (local $event i64)
    (if (i32.lt_s (call $on_timer (i64.const 100000) (i32.const 1)) (i32.const 0))
      (then (return (i32.const 1))))
    (loop $again
      (local.set $event (call $wait)) ;; the handler in its low half, what it gets in the high one
      (if (i64.ne (local.get $event) (i64.const -1))
        (then
          (call_indirect (type $handler)
            (i32.wrap_i64 (i64.shr_u (local.get $event) (i64.const 32)))
            (i32.wrap_i64 (local.get $event)))
          (br $again))))
    (i32.const 0)))
