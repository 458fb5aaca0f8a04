;; 16 flat parameters are taken, 17 are not: a string counts twice, a variant as its widest case and one.
(component
  (import "t:t/i" (instance
    (export "b" (func (param "x" (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8)) (param "y" (option (tuple u8 string)))
      (param "z" bool)))
    (export "a" (func (param "x" (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8)) (param "y" (option (tuple u8 string)))))))
  (instance $e)
  (export "t:t/e" (instance $e)))
