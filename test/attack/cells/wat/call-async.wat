;; An asynchronous function.
(component
  (import "t:t/i" (instance
    (export "a" (func async (param "x" u8)))))
  (instance $e)
  (export "t:t/e" (instance $e)))
