;; A WASI that this engine does not know: the name alone grants nothing.
(component (import "wasi:cli/environment@0.3.0" (instance (export "get-environment" (func)))))
