(component
  (import "t:t/i" (instance
    (export "a" (func (result (result u8 (error error-context)))))))
  (instance $e)
  (export "t:t/e" (instance $e)))
