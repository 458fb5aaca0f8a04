;; Two memories that only together exceed 64 MiB.
(component
  (core module (memory 600))
  (core module (memory 600))
  (core module $run (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $run))
  (func $f (result (result)) (canon lift (core func $i "run")))
  (instance $run-instance (export "run" (func $f)))
  (export "wasi:cli/run@0.2.0" (instance $run-instance)))
