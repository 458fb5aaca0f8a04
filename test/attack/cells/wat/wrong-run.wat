;; The right name, but no function in it.
(component
  (type $t u8)
  (instance $i (export "run" (type $t)))
  (export "wasi:cli/run@0.2.0" (instance $i)))
