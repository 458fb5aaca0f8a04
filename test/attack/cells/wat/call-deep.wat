;; 65 lists inside one another: one too many. Made by a line of Python.
(component
  (import "t:t/i" (instance
    (export "a" (func (param "x" (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list (list u8))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
  (instance $e)
  (export "t:t/e" (instance $e)))
