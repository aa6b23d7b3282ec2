import { handlerComponent, wasiComponent } from "./components.ts";

/** What each path's letter does; the guest looks at nothing else. Addresses below 1024 are results, above 64 KiB bytes. */
const behaviours: Readonly<Record<string, string>> = {
  // Answers.
  a: `(call $answer (local.get $out) (call $response (call $fields)))`,
  // Spins.
  s: `(loop $again (br $again))`,
  // Recurses.
  r: `(call $recurse)`,
  // Takes memory until there is none.
  m: `(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)`,
  // Fills all of a gibibyte again and again; each turn is one instruction.
  f: `(drop (memory.grow (i32.const 16380)))
      (loop $again (memory.fill (i32.const 65536) (i32.const 1) (i32.const 0x3ffd0000)) (br $again))`,
  // Makes handles and drops none.
  h: `(loop $again (drop (call $fields)) (br $again))`,
  // Adds header fields without end.
  w: `(local.set $own (call $fields))
      (loop $again
        (call $append (local.get $own) (i32.const 512) (i32.const 3) (i32.const 512) (i32.const 3) (i32.const 64))
        (br $again))`,
  // Writes 4 KiB lines to its log without end.
  l: `(local.set $own (call $stdout))
      (loop $again
        (call $write (local.get $own) (i32.const 1024) (i32.const 4096) (i32.const 64))
        (br $again))`,
  // Waits for an hour.
  p: `(call $block (call $after (i64.const 3600000000000)))`,
  // The same with a memory that has grown, so that no other request comes into its instance meanwhile.
  g: `(drop (memory.grow (i32.const 1))) (call $block (call $after (i64.const 3600000000000)))`,
  // Answers, and its answer never ends.
  o: `(local.set $own (call $response (call $fields)))
      (call $body (local.get $own) (i32.const 64))
      (call $open (i32.load (i32.const 68)) (i32.const 80))
      (call $answer (local.get $out) (local.get $own))
      (loop $again
        (call $write (i32.load (i32.const 84)) (i32.const 1024) (i32.const 4096) (i32.const 64))
        (br_if $again (i32.eqz (i32.load8_u (i32.const 64)))))`,
  // Traps.
  t: `(unreachable)`,
};

const text = `(module
  (import "wasi:http/types@0.2.3" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.3" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-body.write" (func $open (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]response-outparam.set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 512) "x-y")
  (data (i32.const 1024) "${"output ".repeat(584)}1234567\\n")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256))
  (func $answer (param $out i32) (param $response i32)
    (call $set (local.get $out) (i32.const 0) (local.get $response)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
  (func $recurse (call $recurse) (call $recurse))
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param $request i32) (param $out i32)
    (local $letter i32) (local $own i32)
    (call $path (local.get $request) (i32.const 16))
    (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 20)) (i32.const 1))))
    ${Object.entries(behaviours)
      .map(([letter, code]) => `(if (i32.eq (local.get $letter) (i32.const ${letter.charCodeAt(0)})) (then ${code}))`)
      .join("\n    ")}))`;

/** A component that does harm: `/s` spins, and so on; `/a` answers. */
export const hostileComponent = (): Promise<Uint8Array> => wasiComponent(text);

const tableText = `(module
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param i32 i32)
    (loop $again
      (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
    (unreachable)))`;

/** A component whose table grows until it cannot. */
export const tableComponent = (): Promise<Uint8Array> => handlerComponent(tableText);
