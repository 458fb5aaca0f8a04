;; An interface without a function, and one that brings a type only.
(component
  (import "t:t/i" (instance
    (type $d (record (field "x" u8)))
    (export "r" (type (eq $d)))))
  (instance $e)
  (export "t:t/e" (instance $e)))
