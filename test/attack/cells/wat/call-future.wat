(component
  (import "t:t/i" (instance
    (export "c" (func (param "x" u8)))
    (export "a" (func (result (future string))))))
  (instance $e)
  (export "t:t/e" (instance $e)))
