;; Interfaces that nobody granted, imported for their types alone; it runs and does nothing.
(component
  (import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))
  (import "wasi:clocks/wall-clock@0.2.0" (instance
    (type $d (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type (eq $d)))))
  (core module $run (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $run))
  (func $f (result (result)) (canon lift (core func $i "run")))
  (instance $run-instance (export "run" (func $f)))
  (export "wasi:cli/run@0.2.0" (instance $run-instance)))
