;; Names sockets as a standard library does, with the resource that they share with wasi:io; and calls one of the functions.
(component
  (import "wasi:io/poll@0.2.3" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:sockets/tcp@0.2.3" (instance
    (alias outer 1 $pollable (type $p))
    (export "pollable" (type $q (eq $p)))
    (export "tcp-socket" (type $socket (sub resource)))
    (export "[method]tcp-socket.subscribe" (func (param "self" (borrow $socket)) (result (own $q))))))
  (import "wasi:sockets/tcp-create-socket@0.2.3" (instance $create
    (export "create-tcp-socket" (func (param "address-family" u8) (result u32)))))
  (core func $create (canon lower (func $create "create-tcp-socket")))
  (core module $m
    (import "sockets" "create" (func $create (param i32) (result i32)))
    (func (export "run") (result i32)
      (drop (call $create (i32.const 0)))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "sockets" (instance (export "create" (func $create))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
