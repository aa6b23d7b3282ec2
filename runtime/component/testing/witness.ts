/** Where what the guest found begins, in its answer and in its memory. */
export const reportBytes = 96;

/** What the guest found before it left anything itself. */
export interface Report {
  /** A hash of its memory, which is the same whenever the memory is. */
  readonly memory: bigint;
  readonly pages: number;
  readonly globals: readonly [number, bigint, number];
  readonly tableEntries: number;
  readonly isTableEmpty: boolean;
  /** The number of the first handle that it makes. */
  readonly handle: number;
  /** Its number for the directory that it was granted, and for the file that it makes there. */
  readonly directory: number;
  readonly file: number;
  readonly chance: bigint;
  readonly seed: bigint;
  /** Its monotonic clock, in nanoseconds. */
  readonly nowNs: bigint;
}

export function readReport(bytes: Buffer): Report {
  return {
    memory: bytes.readBigInt64LE(0),
    pages: bytes.readInt32LE(8),
    globals: [bytes.readInt32LE(16), bytes.readBigInt64LE(24), bytes.readDoubleLE(32)],
    isTableEmpty: bytes.readInt32LE(40) === 1,
    tableEntries: bytes.readInt32LE(44),
    handle: bytes.readInt32LE(48),
    chance: bytes.readBigUInt64LE(56),
    nowNs: bytes.readBigUInt64LE(64),
    seed: bytes.readBigUInt64LE(72),
    directory: bytes.readInt32LE(88),
    file: bytes.readInt32LE(92),
  };
}

const imports = `
  (import "wasi:http/types@0.2.3" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.3" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-body.write" (func $open (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.3" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "wasi:random/random@0.2.3" "get-random-u64" (func $chance (result i64)))
  (import "wasi:random/insecure-seed@0.2.3" "insecure-seed" (func $seed (param i32)))
  (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.3" "[method]descriptor.open-at"
    (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.3" "[method]descriptor.write" (func $write-file (param i32 i32 i32 i64 i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.3" "[resource-drop]output-stream" (func $drop-stream (param i32)))`;

const helpers = `
  (func $hash (result i64)
    (local $at i32) (local $end i32) (local $hash i64)
    (local.set $at (i32.const 640))
    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
    (loop $next
      (local.set $hash (i64.xor (i64.rotl (local.get $hash) (i64.const 5)) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (local.get $hash))

  (func $fill (param $canary i64)
    (local $at i32) (local $end i32)
    (local.set $at (i32.const 640))
    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
    (loop $next
      (i64.store (local.get $at) (local.get $canary))
      (local.set $at (i32.add (local.get $at) (i32.const 1024)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (i64.store (i32.sub (local.get $end) (i32.const 8)) (local.get $canary)))`;

/**
 * A guest that looks for what others have left, says what it found, and leaves as much of its own as it can. Its path is a
 * letter for what it does, and eight bytes that only it has: `w` waits in between, `g` grows its memory, `x` traps at its
 * end, `d` first writes to the file that another may have left open: to the descriptor whose number is the byte after. Where
 * `writesTable` all write their table, which makes it one that cannot be put back. It is granted a directory, in which it makes
 * a file of its own name, and leaves it open.
 */
export const witnessText = (pages: number, writesTable: boolean): string => `(module
  ${imports}
  (memory (export "memory") ${pages})
  (data (i32.const 700) "what every instance begins with, near the start of its memory")
  (data (i32.const 400000) "and what it begins with behind that, six pages further on")
  (table $table 4 funcref)
  (elem declare func $nothing)
  (global $number (mut i32) (i32.const 7))
  (global $long (mut i64) (i64.const 8))
  (global $real (mut f64) (f64.const 1.5))
  (func $nothing)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    ;; The list of directories, the path of the request, the name of a directory.
    (if (i32.eq (local.get 2) (i32.const 4)) (then (return (i32.const 192))))
    (select (i32.const 256) (i32.const 240) (i32.ge_u (local.get 3) (i32.const 8))))

  ${helpers}
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param $request i32) (param $out i32)
    (local $letter i32) (local $canary i64) (local $own i32) (local $wait i32) (local $first i32)
    (call $path (local.get $request) (i32.const 16))
    (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 20)) (i32.const 1))))
    (local.set $canary (i64.load (i32.add (i32.load (i32.const 20)) (i32.const 2))))
    (if (i32.eq (local.get $letter) (i32.const 0x64)) (then
      (call $write-file (i32.sub (i32.load8_u (i32.const 258)) (i32.const 48)) (i32.const 256) (i32.const 8) (i64.const 0)
        (i32.const 144))))

    (i64.store (i32.const 512) (call $hash))
    (i32.store (i32.const 520) (memory.size))
    (i32.store (i32.const 528) (global.get $number))
    (i64.store (i32.const 536) (global.get $long))
    (f64.store (i32.const 544) (global.get $real))
    (i32.store (i32.const 552) (ref.is_null (table.get $table (i32.const 0))))
    (i32.store (i32.const 556) (table.size $table))
    (local.set $first (call $fields))
    (i32.store (i32.const 560) (local.get $first))
    (i64.store (i32.const 568) (call $chance))
    (i64.store (i32.const 576) (call $now))
    (call $seed (i32.const 584))
    (call $directories (i32.const 96))
    (i32.store (i32.const 600) (i32.load (i32.load (i32.const 96))))
    (call $open-at (i32.load (i32.const 600)) (i32.const 0) (i32.const 258) (i32.const 8) (i32.const 1) (i32.const 3)
      (i32.const 104))
    (if (i32.load8_u (i32.const 104)) (then (unreachable)))
    (i32.store (i32.const 604) (i32.load (i32.const 108)))
    (call $write-file (i32.load (i32.const 604)) (i32.const 256) (i32.const 10) (i64.const 0) (i32.const 144))

    (if (i32.eq (local.get $letter) (i32.const 0x77)) (then
      (local.set $wait (call $after (i64.const 1000000)))
      (call $block (local.get $wait))
      (call $drop-pollable (local.get $wait))))

    (local.set $own (call $response (call $fields)))
    (call $body (local.get $own) (i32.const 32))
    (call $open (i32.load (i32.const 36)) (i32.const 48))
    (call $set (local.get $out) (i32.const 0) (local.get $own)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $write (i32.load (i32.const 52)) (i32.const 512) (i32.const ${reportBytes}) (i32.const 64))
    (call $drop-stream (i32.load (i32.const 52)))
    (call $finish (i32.load (i32.const 36)) (i32.const 0) (i32.const 0) (i32.const 128))

    (call $append (local.get $first) (i32.load (i32.const 20)) (i32.const 0) (i32.const 256) (i32.const 8) (i32.const 64))
    (global.set $number (i32.wrap_i64 (local.get $canary)))
    (global.set $long (local.get $canary))
    (global.set $real (f64.reinterpret_i64 (local.get $canary)))
    ${writesTable ? "(table.set $table (i32.const 0) (ref.func $nothing))" : ""}
    (if (i32.eq (local.get $letter) (i32.const 0x67)) (then (drop (memory.grow (i32.const 1)))))
    (call $fill (local.get $canary))
    (if (i32.eq (local.get $letter) (i32.const 0x78)) (then (unreachable)))))`;
