// Components as text, each the least that shows one thing. What they are planned as is in plan-links.test.ts.

export const adder = `(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))`;

export const greeter = `(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "greet") (param i32 i32) (result i32) unreachable)
    (func (export "free") (param i32)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func $greet (param "name" string) (result string)
    (canon lift (core func $i "greet") (memory $memory) (realloc (core func $i "realloc"))
      (post-return (core func $i "free")) string-encoding=utf16))
  (instance $greetings (export "greet" (func $greet)))
  (export "test:greet/greetings@1.0.0" (instance $greetings)))`;

/** As wit-component links: a shim with a table, the main module, and a fixup that fills the table. */
export const shimmed = `(component
  (import "test:log/logger@0.1.0" (instance $logger (export "log" (func (param "line" string)))))
  (core module $main
    (import "test:log/logger@0.1.0" "log" (func (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "run")))
  (core module $shim
    (type $t (func (param i32 i32)))
    (table (export "$imports") 1 1 funcref)
    (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0))))
  (core module $fixup
    (import "" "0" (func (param i32 i32)))
    (import "" "$imports" (table 1 1 funcref))
    (elem (i32.const 0) func 0))
  (core instance $shim (instantiate $shim))
  (core instance $bag (export "log" (func $shim "0")))
  (core instance $main (instantiate $main (with "test:log/logger@0.1.0" (instance $bag))))
  (alias core export $main "memory" (core memory $memory))
  (core func $lowered (canon lower (func $logger "log") (memory $memory)))
  (core instance (instantiate $fixup (with "" (instance
    (export "$imports" (table $shim "$imports"))
    (export "0" (func $lowered))))))
  (func (export "run") (canon lift (core func $main "run"))))`;

/** A nested component that is instantiated twice: with a function of the host and with one of the first instance. */
export const nested = `(component
  (import "one" (func $one (result u32)))
  (component $next
    (import "before" (func $before (result u32)))
    (core func $lowered (canon lower (func $before)))
    (core module $m (import "" "f" (func (result i32))) (func (export "g") (result i32) (call 0)))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $lowered))))))
    (func (export "after") (result u32) (canon lift (core func $i "g"))))
  (instance $two (instantiate $next (with "before" (func $one))))
  (instance $three (instantiate $next (with "before" (func $two "after"))))
  (export "three" (func $three "after")))`;

/** Two components, one of which imports what the other exports, with a resource between them. */
export const composed = `(component
  (component $maker
    (core module $m
      (func (export "drop") (param i32))
      (func (export "make") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m))
    (type $thing' (resource (rep i32) (dtor (core func $i "drop"))))
    (core func $new (canon resource.new $thing'))
    (core func $rep (canon resource.rep $thing'))
    (core module $user (import "" "new" (func (param i32) (result i32))) (import "" "rep" (func (param i32) (result i32))))
    (core instance (instantiate $user (with "" (instance (export "new" (func $new)) (export "rep" (func $rep))))))
    (export $thing "thing" (type $thing'))
    (func $make (param "value" u32) (result (own $thing)) (canon lift (core func $i "make")))
    (export "make" (func $make)))
  (component $taker
    (import "maker" (instance $maker
      (export "thing" (type $thing (sub resource)))
      (export "make" (func (param "value" u32) (result (own $thing))))))
    (alias export $maker "thing" (type $thing))
    (core func $drop (canon resource.drop $thing))
    (core func $make (canon lower (func $maker "make")))
    (core module $m
      (import "maker" "make" (func $make (param i32) (result i32)))
      (import "maker" "drop" (func $drop (param i32)))
      (func (export "run") (call $drop (call $make (i32.const 7)))))
    (core instance $i (instantiate $m (with "maker" (instance
      (export "make" (func $make)) (export "drop" (func $drop))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $maker (instantiate $maker))
  (instance $taker (instantiate $taker (with "maker" (instance $maker))))
  (export "run" (func $taker "run")))`;

/** The module and the type of the inner component are those of the outer one. */
export const outerAliases = `(component $root
  (core module $m (func (export "pick") (param i32) (result i32) (local.get 0)))
  (type $pair (record (field "left" u8) (field "right" u8)))
  (component $inner
    (alias outer $root $m (core module $mine))
    (alias outer $root $pair (type $pair'))
    (import "pair" (type $pair (eq $pair')))
    (core instance $i (instantiate $mine))
    (type $colour' (enum "red" "green"))
    (export $colour "colour" (type $colour'))
    (func (export "pick") (param "colour" $colour) (result $colour) (canon lift (core func $i "pick"))))
  (instance $i (instantiate $inner (with "pair" (type $pair))))
  (export "picker" (instance $i)))`;

/** The way that wasi:http uses wasi:io: one resource under two names. */
export const sharedResource = `(component
  (import "test:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (export "[method]output-stream.flush" (func (param "self" (borrow $output))))))
  (alias export $streams "output-stream" (type $output))
  (import "test:http/types@0.2.0" (instance $types
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $output' (eq $outer)))
    (export "outgoing-body" (type $body (sub resource)))
    (export "[method]outgoing-body.write" (func (param "self" (borrow $body)) (result (own $output'))))
    (export "unused" (func (param "bodies" (list (own $body)))))))
  (alias export $types "output-stream" (type $again))
  (core func $flush (canon lower (func $streams "[method]output-stream.flush")))
  (core func $flush2 (canon lower (func $streams "[method]output-stream.flush")))
  (core func $write (canon lower (func $types "[method]outgoing-body.write")))
  (core func $drop (canon resource.drop $output))
  (core func $drop2 (canon resource.drop $again))
  (core module $m
    (import "" "flush" (func (param i32)))
    (import "" "flush2" (func (param i32)))
    (import "" "write" (func (param i32) (result i32)))
    (import "" "drop" (func (param i32)))
    (import "" "drop2" (func (param i32))))
  (core instance (instantiate $m (with "" (instance
    (export "flush" (func $flush)) (export "flush2" (func $flush2)) (export "write" (func $write))
    (export "drop" (func $drop)) (export "drop2" (func $drop2)))))))`;

/** Every canonical built-in of WASI 0.3, and a function that is lifted with a callback. */
export const asynchronous = `(component
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory))
  (type $bytes (stream u8))
  (type $later (future string))
  (core func $return (canon task.return (result u32) (memory $memory)))
  (core func (canon task.return))
  (core func (canon task.cancel))
  (core func (canon context.get i32 0))
  (core func (canon context.set i32 1))
  (core func (canon backpressure.inc))
  (core func (canon backpressure.dec))
  (core func (canon subtask.cancel async))
  (core func (canon subtask.drop))
  (core func (canon thread.yield))
  (core func (canon waitable-set.new))
  (core func (canon waitable-set.wait (memory $memory)))
  (core func (canon waitable-set.poll (memory $memory)))
  (core func (canon waitable-set.drop))
  (core func (canon waitable.join))
  (core func (canon stream.new $bytes))
  (core func (canon stream.read $bytes async (memory $memory)))
  (core func (canon stream.write $bytes (memory $memory)))
  (core func (canon stream.cancel-read $bytes))
  (core func (canon stream.cancel-write $bytes async))
  (core func (canon stream.drop-readable $bytes))
  (core func (canon stream.drop-writable $bytes))
  (core func (canon future.new $later))
  (core func (canon future.read $later (memory $memory) (realloc (core func $memory "realloc"))))
  (core func (canon future.write $later async (memory $memory)))
  (core func (canon future.cancel-read $later async))
  (core func (canon future.cancel-write $later))
  (core func (canon future.drop-readable $later))
  (core func (canon future.drop-writable $later))
  (core func (canon error-context.new (memory $memory)))
  (core func (canon error-context.debug-message (memory $memory) (realloc (core func $memory "realloc"))))
  (core func (canon error-context.drop))
  (core module $m
    (import "" "return" (func (param i32)))
    (func (export "run") (result i32) unreachable)
    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
  (func (export "run") async (result u32)
    (canon lift (core func $i "run") async (callback (core func $i "callback")))))`;

/** One of each type of values. */
export const allTypes = `(component
  (type $pair (tuple u8 char))
  (type $thing (record (field "a-b" bool) (field "c" (list string))))
  (type $choice (variant (case "none") (case "some" $thing)))
  (type $fixed (list f32 4))
  (type $answer (result $pair (error (option s64))))
  (type $flags (flags "x" "y"))
  (type $colour (enum "red" "green"))
  (import "test:all/types" (instance $host
    (alias outer 1 $thing (type $thing'))
    (alias outer 1 $choice (type $choice'))
    (alias outer 1 $flags (type $flags'))
    (alias outer 1 $colour (type $colour'))
    (export "thing" (type $thing (eq $thing')))
    (type $chosen (variant (case "none") (case "some" $thing)))
    (export "choice" (type $choice (eq $chosen)))
    (export "flags" (type $flags (eq $flags')))
    (export "colour" (type $colour (eq $colour')))
    (export "take" (func (param "pair" (tuple u8 char)) (param "fixed" (list f32 4)) (param "choice" $choice)
      (param "flags" $flags) (param "colour" $colour) (param "map" (map string u8))
      (result (result (tuple u8 char) (error (option s64))))))))
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $memory (instantiate $memory))
  (core func (canon lower (func $host "take") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))`;
