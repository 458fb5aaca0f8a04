;; A command of two parts, each with a memory of its own: one hands a string to the other, which adds up its bytes.
(component
  (component $adds
    (core module $m
      (memory (export "memory") 1)
      (global $free (mut i32) (i32.const 8))
      (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $free))
        (global.set $free (i32.add (local.get $at) (local.get $size)))
        (local.get $at))
      (func (export "sum") (param $at i32) (param $left i32) (result i32)
        (local $sum i32)
        (block $end
          (loop $next
            (br_if $end (i32.eqz (local.get $left)))
            (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))
        (local.get $sum)))
    (core instance $i (instantiate $m))
    (func (export "sum") (param "bytes" string) (result u32)
      (canon lift (core func $i "sum") (memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc")))))
  (component $asks
    (import "sum" (func $sum (param "bytes" string) (result u32)))
    (core module $text (memory (export "memory") 1) (data (i32.const 16) "hello"))
    (core instance $text (instantiate $text))
    (core func $lowered (canon lower (func $sum) (memory (core memory $text "memory"))))
    (core module $m
      (import "other" "sum" (func $sum (param i32 i32) (result i32)))
      (func (export "run") (result i32) ;; 0: ok
        (i32.ne (call $sum (i32.const 16) (i32.const 5)) (i32.const 532))))
    (core instance $i (instantiate $m (with "other" (instance (export "sum" (func $lowered))))))
    (func (export "run") (result (result)) (canon lift (core func $i "run"))))
  (instance $a (instantiate $adds))
  (instance $b (instantiate $asks (with "sum" (func $a "sum"))))
  (instance $run (export "run" (func $b "run")))
  (export "wasi:cli/run@0.2.0" (instance $run)))
