;; The function stands behind a nested instance.
(component
  (import "wasi:cli/environment@0.2.0" (instance
    (export "inner" (instance (export "get-environment" (func)))))))
