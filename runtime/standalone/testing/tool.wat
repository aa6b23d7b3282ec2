;; A command of WASI preview 1. What it does is said by the first letter of its first argument; made a component by the
;; adapter of the Bytecode Alliance, it does the same there.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)

  (func $must (param $errno i32)
    (if (local.get $errno) (then (call $exit (i32.add (i32.const 100) (local.get $errno))))))
  ;; All of it, whatever a single write takes. The vector is at 16, the count at 24.
  (func $write (param $fd i32) (param $at i32) (param $length i32)
    (loop $more
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $length))
      (call $must (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 24))))
      (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 24))))
      (br_if $more (local.get $length))))
  (func $copy (param $from i32) (param $to i32)
    (loop $more
      (i32.store (i32.const 16) (i32.const 131072))
      (i32.store (i32.const 20) (i32.const 65536))
      (call $must (call $fd_read (local.get $from) (i32.const 16) (i32.const 1) (i32.const 24)))
      (if (i32.load (i32.const 24)) (then
        (call $write (local.get $to) (i32.const 131072) (i32.load (i32.const 24)))
        (br $more)))))
  (func $length (param $text i32) (result i32)
    (local $at i32)
    (local.set $at (local.get $text))
    (loop $next
      (if (i32.load8_u (local.get $at)) (then
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))
    (i32.sub (local.get $at) (local.get $text)))
  ;; A descriptor of the file that the second argument names, in the first directory.
  (func $open (param $oflags i32) (param $rights i64) (result i32)
    (local $path i32)
    (local.set $path (i32.load (i32.const 1032)))
    (call $must (call $path_open (i32.const 3) (i32.const 1) (local.get $path) (call $length (local.get $path))
      (local.get $oflags) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 28)))
    (i32.load (i32.const 28)))

  (func (export "_start")
    (local $verb i32)
    ;; Counts and sizes at 0 and 4; arguments at 1024 and 2048, the environment at 8192 and 12288.
    (call $must (call $args_sizes (i32.const 0) (i32.const 4)))
    (call $must (call $args (i32.const 1024) (i32.const 2048)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1))
      (then (local.set $verb (i32.load8_u (i32.load (i32.const 1028))))))
    (if (i32.eq (local.get $verb) (i32.const 97)) ;; a: its arguments
      (then (call $write (i32.const 1) (i32.const 2048) (i32.load (i32.const 4)))))
    (if (i32.eq (local.get $verb) (i32.const 118)) (then ;; v: its variables
      (call $must (call $environ_sizes (i32.const 0) (i32.const 4)))
      (call $must (call $environ (i32.const 8192) (i32.const 12288)))
      (if (i32.load (i32.const 4)) (then (call $write (i32.const 1) (i32.const 12288) (i32.load (i32.const 4)))))))
    (if (i32.eq (local.get $verb) (i32.const 101)) (then (call $exit (i32.const 7)))) ;; e: exits
    (if (i32.eq (local.get $verb) (i32.const 116)) (then unreachable)) ;; t: traps
    (if (i32.eq (local.get $verb) (i32.const 115)) (then (loop $spin (br $spin)))) ;; s: spins
    (if (i32.eq (local.get $verb) (i32.const 99)) (then (call $copy (i32.const 0) (i32.const 1)))) ;; c: cat
    (if (i32.eq (local.get $verb) (i32.const 114)) ;; r: reads a file
      (then (call $copy (call $open (i32.const 0) (i64.const 2)) (i32.const 1))))
    (if (i32.eq (local.get $verb) (i32.const 119)) ;; w: writes its arguments into a file
      (then (call $write (call $open (i32.const 9) (i64.const 64)) (i32.const 2048) (i32.load (i32.const 4)))))
    (if (i32.eq (local.get $verb) (i32.const 103)) (then ;; g: grows by 64 MiB, and tells whether it could
      (if (i32.eq (memory.grow (i32.const 1024)) (i32.const -1)) (then (call $exit (i32.const 9))))))))
