(component
  (import "t:t/i" (instance
    (export "a" (func (param "x" u8)))
    (export "b" (func (param "x" (list (stream u8)))))))
  (instance $e)
  (export "t:t/e" (instance $e)))
