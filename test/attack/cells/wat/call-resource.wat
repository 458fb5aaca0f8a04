;; A function that takes a resource of its own interface.
(component
  (import "t:t/i" (instance
    (export "a" (func (param "x" u8)))
    (export "r" (type $r (sub resource)))
    (export "b" (func (param "x" (own $r))))))
  (instance $e)
  (export "t:t/e" (instance $e)))
