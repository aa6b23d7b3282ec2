import { beforeAll, describe, expect, test } from "vitest";
import { artifactOf, CountedGuest, handler, httpTypes, serve } from "./counted-guest.fixture.ts";
import type { Instance, LinkedArtifact } from "./engine.ts";
import { pageCalls } from "./fork/page-calls.ts";

const places = [1024, 70_000, 140_000, 262_140];
const each = (line: (place: number) => string): string => places.map(line).join("\n      ");

/**
 * A guest whose method is a letter and its name of four letters. It writes the name all over its memory and into a global, waits for a
 * second, and says what it finds. Its status is 200, and 1 more for a trace of another in memory at its start, 2 for one in a global,
 * 4 in the handle table, 8 for a memory that has grown; and after it has waited 16 for another's name in memory, 32 in the global.
 * The letter says what it does beside that: `G`row, and write there, before it waits; `T`rap after it; `E`nd without waiting.
 */
const waitingGuest = `(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-environment" (func (result (list (tuple string string)))))))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  ${httpTypes}
  (core module $memory
    (memory (export "memory") 4 8)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))
  (core func $environment (canon lower (func $env "get-environment") (memory $mem) (realloc $realloc)))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $new-fields (canon lower (func $http "[constructor]fields")))
  (core func $method (canon lower (func $http "[method]incoming-request.method") (memory $mem) (realloc $realloc)))
  (core func $new-response (canon lower (func $http "[constructor]outgoing-response")))
  (core func $status (canon lower (func $http "[method]outgoing-response.set-status-code")))
  (core func $set (canon lower (func $http "[static]response-outparam.set") (memory $mem) (realloc $realloc)))
  (core func $drop-request (canon resource.drop $request))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core module $main
    (import "m" "memory" (memory 1))
    (import "h" "environment" (func $environment (param i32)))
    (import "h" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "h" "block" (func $block (param i32)))
    (import "h" "new-fields" (func $new-fields (result i32)))
    (import "h" "method" (func $method (param i32 i32)))
    (import "h" "new-response" (func $new-response (param i32) (result i32)))
    (import "h" "status" (func $status (param i32 i32) (result i32)))
    (import "h" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (import "h" "drop-request" (func $drop-request (param i32)))
    (import "h" "drop-pollable" (func $drop-pollable (param i32)))
    (global $name (mut i32) (i32.const 0))
    (func $start (call $environment (i32.const 16)))
    (start $start)
    (func $add (param $status i32) (param $is i32) (param $flag i32) (result i32)
      (i32.or (local.get $status) (select (local.get $flag) (i32.const 0) (local.get $is))))
    (func (export "handle") (param $request i32) (param $outparam i32)
      (local $status i32) (local $response i32) (local $letter i32) (local $name i32) (local $pollable i32)
      ${each((place) => `(local.set $status (call $add (local.get $status) (i32.load (i32.const ${place})) (i32.const 1)))`)}
      (local.set $status (call $add (local.get $status) (global.get $name) (i32.const 2)))
      (local.set $status (call $add (local.get $status) (i32.ne (local.get $request) (i32.const 1)) (i32.const 4)))
      (local.set $status (call $add (local.get $status) (i32.ne (memory.size) (i32.const 4)) (i32.const 8)))
      (call $method (local.get $request) (i32.const 32))
      (local.set $letter (i32.load8_u (i32.load (i32.const 36))))
      (local.set $name (i32.load (i32.add (i32.load (i32.const 36)) (i32.const 1))))
      ${each((place) => `(i32.store (i32.const ${place}) (local.get $name))`)}
      (global.set $name (local.get $name))
      (if (i32.eq (local.get $letter) (i32.const 71)) (then
        (i32.store (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)) (local.get $name))))
      (if (i32.ne (local.get $letter) (i32.const 69)) (then
        (local.set $pollable (call $subscribe (i64.const 1000000000)))
        (call $block (local.get $pollable))
        (call $drop-pollable (local.get $pollable))))
      (if (i32.eq (local.get $letter) (i32.const 84)) (then unreachable))
      ${each((place) => `(local.set $status (call $add (local.get $status) (i32.ne (i32.load (i32.const ${place})) (local.get $name)) (i32.const 16)))`)}
      (if (i32.eq (local.get $letter) (i32.const 71)) (then
        (local.set $status (call $add (local.get $status)
          (i32.ne (i32.load (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536))) (local.get $name)) (i32.const 16)))))
      (local.set $status (call $add (local.get $status) (i32.ne (global.get $name) (local.get $name)) (i32.const 32)))
      (call $drop-request (local.get $request))
      (local.set $response (call $new-response (call $new-fields)))
      (drop (call $status (local.get $response) (i32.add (local.get $status) (i32.const 200))))
      (call $set (local.get $outparam) (i32.const 0) (local.get $response) (i32.const 0) (i32.const 0) (i32.const 0))))
  (core instance $i (instantiate $main
    (with "m" (instance $m))
    (with "h" (instance
      (export "environment" (func $environment)) (export "subscribe" (func $subscribe)) (export "block" (func $block))
      (export "new-fields" (func $new-fields)) (export "method" (func $method)) (export "new-response" (func $new-response))
      (export "status" (func $status)) (export "set" (func $set)) (export "drop-request" (func $drop-request))
      (export "drop-pollable" (func $drop-pollable))))))
  ${handler})`;

class Guest extends CountedGuest {
  /** `method`: a letter and a name. */
  async begin(method: string): Promise<Call> {
    const instance = await this.instantiate();
    const call: Call = { instance, status: undefined, ended: Promise.resolve() };
    call.ended = serve(instance, method).then((status) => {
      call.status = status;
      instance.dispose();
    });
    return call;
  }

  async crowd(methods: readonly string[]): Promise<Call[]> {
    const calls: Call[] = [];
    for (const method of methods) calls.push(await this.begin(method));
    return calls;
  }
}

interface Call {
  readonly instance: Instance;
  /** 0: it failed. */
  status: number | undefined;
  ended: Promise<void>;
}

/** Names of four letters. */
const named = (count: number, letter = "W"): string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${String(index + 1000)}`);
const statusesOf = (calls: readonly Call[]): ReadonlySet<number | undefined> =>
  new Set(calls.map(({ status }) => status));

/** So many are made for requests at once; the first of all is not shared. */
const instances = 9;

describe.skipIf(pageCalls()?.canScan !== true)("forks that take turns in one live instance", () => {
  let artifact: LinkedArtifact;
  beforeAll(async () => {
    artifact = await artifactOf(waitingGuest);
  });

  test("each begins fresh and finds what it has left, in whatever order they go on", async () => {
    const guest = new Guest(artifact);
    const calls: Call[] = [];
    for (let wave = 0; wave < 4; wave++) {
      calls.push(...(await guest.crowd(named(60))));
      await guest.clock.advance(300);
      calls.push(...(await guest.crowd(named(3, "E"))));
    }
    await guest.clock.advance(2000);
    expect(statusesOf(calls)).toEqual(new Set([200]));
    expect(guest.initialised).toBe(instances);
    // Nothing is left of any.
    const after = await guest.crowd(named(40));
    await guest.clock.advance(2000);
    expect(statusesOf(after)).toEqual(new Set([200]));
    expect(guest.initialised).toBeLessThanOrEqual(instances + 1);
  });

  test("one whose memory grows has its bytes, and nobody who comes later meets it", async () => {
    const guest = new Guest(artifact);
    const before = await guest.crowd(named(30));
    const grown = await guest.crowd([...named(2, "G"), ...named(30), ...named(2, "G")]);
    await guest.clock.advance(500);
    const late = await guest.crowd(named(30));
    await guest.clock.advance(2000);
    expect(statusesOf([...before, ...grown, ...late])).toEqual(new Set([200]));
  });

  test("one that traps ends alone, and nobody else comes into its instance", async () => {
    const guest = new Guest(artifact);
    const well = await guest.crowd(named(30));
    const trapped = await guest.crowd(named(16, "T"));
    const late = await guest.crowd(named(30));
    await guest.clock.advance(2000);
    expect(statusesOf(trapped)).toEqual(new Set([0]));
    expect(statusesOf([...well, ...late])).toEqual(new Set([200]));
    const after = await guest.crowd(named(30));
    await guest.clock.advance(2000);
    expect(statusesOf(after)).toEqual(new Set([200]));
    expect(guest.initialised, "all had met one that trapped").toBeGreaterThanOrEqual(2 * instances - 2);
  });

  test("one that is given up while it waits never goes on, and the others do", async () => {
    const guest = new Guest(artifact);
    const calls = await guest.crowd(named(60));
    const leaving = calls.filter((_, index) => index % 3 === 0);
    for (const { instance } of leaving) instance.dispose();
    await guest.clock.advance(500);
    const late = await guest.crowd(named(30));
    await guest.clock.advance(2000);
    const staying = calls.filter((call) => !leaving.includes(call));
    expect(statusesOf([...staying, ...late])).toEqual(new Set([200]));
  });

  test("what one costs while another is at work is what it has written", async () => {
    const guest = new Guest(artifact);
    const calls = await guest.crowd(named(60));
    const bytes = calls.map(({ instance }) => instance.memoryBytes());
    const whole = 4 * 65_536;
    expect(bytes.filter((each) => each === whole)).toHaveLength(instances);
    // Four pages of its own, and one for what it is asked.
    expect(Math.max(...bytes.filter((each) => each !== whole))).toBeLessThanOrEqual(6 * 4096);
    await guest.clock.advance(2000);
    expect(statusesOf(calls)).toEqual(new Set([200]));
  });
});
