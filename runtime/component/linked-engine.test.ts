import { beforeAll, describe, expect, test } from "vitest";
import { artifactOf, CountedGuest, handler, httpTypes, serve } from "./counted-guest.fixture.ts";
import type { LinkedArtifact } from "./engine.ts";
import { idleMs } from "./fork/kept-forks.ts";

/**
 * A guest that leaves traces wherever it can, and answers with those that it finds: its status is 200, and 1 more for a
 * trace in memory, 2 for one in a global, 4 for one in the handle table, 8 for a memory that has grown. What it does beside that
 * is said by the first letter of the method: `G`row the memory, `T`rap, `L`eave a handle open.
 */
const tracesGuest = (atStart: string): string => `(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-environment" (func (result (list (tuple string string)))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  ${httpTypes}
  (core module $memory
    (memory (export "memory") 1 4)
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
  (core func $now (canon lower (func $clock "now")))
  (core func $new-fields (canon lower (func $http "[constructor]fields")))
  (core func $method (canon lower (func $http "[method]incoming-request.method") (memory $mem) (realloc $realloc)))
  (core func $new-response (canon lower (func $http "[constructor]outgoing-response")))
  (core func $status (canon lower (func $http "[method]outgoing-response.set-status-code")))
  (core func $set (canon lower (func $http "[static]response-outparam.set") (memory $mem) (realloc $realloc)))
  (core func $drop-request (canon resource.drop $request))
  (core module $main
    (import "m" "memory" (memory 1))
    (import "h" "environment" (func $environment (param i32)))
    (import "h" "now" (func $now (result i64)))
    (import "h" "new-fields" (func $new-fields (result i32)))
    (import "h" "method" (func $method (param i32 i32)))
    (import "h" "new-response" (func $new-response (param i32) (result i32)))
    (import "h" "status" (func $status (param i32 i32) (result i32)))
    (import "h" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (import "h" "drop-request" (func $drop-request (param i32)))
    (global $trace (mut i32) (i32.const 0))
    (func $start (call $environment (i32.const 16)) ${atStart})
    (start $start)
    (func (export "handle") (param $request i32) (param $outparam i32)
      (local $status i32) (local $fields i32) (local $response i32) (local $letter i32)
      (local.set $status (i32.add (i32.load (i32.const 1024)) (i32.mul (i32.const 2) (global.get $trace))))
      (if (i32.ne (local.get $request) (i32.const 1)) (then (local.set $status (i32.add (local.get $status) (i32.const 4)))))
      (if (i32.ne (memory.size) (i32.const 1)) (then (local.set $status (i32.add (local.get $status) (i32.const 8)))))
      (i32.store (i32.const 1024) (i32.const 1))
      (global.set $trace (i32.const 1))
      (call $method (local.get $request) (i32.const 32))
      (if (i32.eq (i32.load8_u (i32.const 32)) (i32.const 9)) (then (local.set $letter (i32.load8_u (i32.load (i32.const 36))))))
      (if (i32.eq (local.get $letter) (i32.const 71)) (then (drop (memory.grow (i32.const 1)))))
      (if (i32.eq (local.get $letter) (i32.const 84)) (then unreachable))
      (if (i32.ne (local.get $letter) (i32.const 76)) (then (call $drop-request (local.get $request))))
      (local.set $fields (call $new-fields))
      (local.set $response (call $new-response (local.get $fields)))
      (drop (call $status (local.get $response) (i32.add (local.get $status) (i32.const 200))))
      (call $set (local.get $outparam) (i32.const 0) (local.get $response) (i32.const 0) (i32.const 0) (i32.const 0))))
  (core instance $i (instantiate $main
    (with "m" (instance $m))
    (with "h" (instance
      (export "environment" (func $environment)) (export "now" (func $now)) (export "new-fields" (func $new-fields))
      (export "method" (func $method)) (export "new-response" (func $new-response)) (export "status" (func $status))
      (export "set" (func $set)) (export "drop-request" (func $drop-request))))))
  ${handler})`;

class Guest extends CountedGuest {
  /** One request with a fresh instance. @returns the status; 0 when there was none */
  async ask(method: string): Promise<number> {
    const instance = await this.instantiate();
    const status = await serve(instance, method);
    instance.dispose();
    return status;
  }
}

describe("a fresh instance for every request", () => {
  let artifact: LinkedArtifact;
  beforeAll(async () => {
    artifact = await artifactOf(tracesGuest(""));
  });

  test("finds no trace of the one before, though it is made once", async () => {
    const guest = new Guest(artifact);
    const statuses: number[] = [];
    for (let round = 0; round < 50; round++) statuses.push(await guest.ask(["GET", "X", "L"][round % 3] ?? ""));
    expect(new Set(statuses)).toEqual(new Set([200]));
    // The first is not kept, the second is.
    expect(guest.initialised).toBe(2);
  });

  test.each([
    { what: "whose memory has grown", method: "GROW", status: 200 },
    { what: "that has trapped", method: "TRAP", status: 0 },
  ])("one $what is not used again", async ({ method, status }) => {
    const guest = new Guest(artifact);
    await guest.ask("GET");
    await guest.ask("GET");
    expect(guest.initialised).toBe(2);
    expect(await guest.ask(method)).toBe(status);
    expect(await guest.ask("GET")).toBe(200);
    expect(guest.initialised).toBe(3);
  });

  test("one that is in use is used by nobody else", async () => {
    const guest = new Guest(artifact);
    const instances = await Promise.all(Array.from({ length: 20 }, () => guest.instantiate()));
    const statuses = await Promise.all(instances.map((instance) => serve(instance, "GET")));
    expect(new Set(statuses)).toEqual(new Set([200]));
    for (const instance of instances) instance.dispose();
    const { initialised } = guest;
    expect(initialised).toBe(20);
    expect(await Promise.all([guest.ask("GET"), guest.ask("GET"), guest.ask("GET")])).toEqual([200, 200, 200]);
    expect(guest.initialised).toBe(initialised);
  });

  test("as many are kept as were needed at once, and those that nobody needs go", async () => {
    const guest = new Guest(artifact);
    const crowd = async (): Promise<void> => {
      const instances = await Promise.all(Array.from({ length: 30 }, () => guest.instantiate()));
      for (const instance of instances) instance.dispose();
    };
    await crowd();
    await crowd();
    // The first of all is never kept.
    expect(guest.initialised).toBe(31);
    await crowd();
    expect(guest.initialised).toBe(31);
    await guest.clock.advance(3 * idleMs);
    await crowd();
    expect(guest.initialised).toBe(60);
  });

  test("one that was disposed twice is not given out twice", async () => {
    const guest = new Guest(artifact);
    await guest.ask("GET");
    const instance = await guest.instantiate();
    instance.dispose();
    instance.dispose();
    const [first, second] = [await guest.instantiate(), await guest.instantiate()];
    expect([await serve(first, "GET"), await serve(second, "GET")]).toEqual([200, 200]);
  });

  test("at rest one instance stays, until it is released", async () => {
    const guest = new Guest(artifact);
    const { component } = guest;
    expect(component.rest?.(), "nothing is kept of the first").toBeUndefined();
    const crowd = await Promise.all(Array.from({ length: 5 }, () => guest.instantiate()));
    for (const instance of crowd) instance.dispose();
    expect(component.rest?.()).toBe(65_536);
    const { initialised } = guest;
    expect(await guest.ask("GET")).toBe(200);
    expect(guest.initialised).toBe(initialised);
    await Promise.all([guest.instantiate(), guest.instantiate()]);
    expect(guest.initialised, "it was one only").toBe(initialised + 1);
    component.release?.();
    await guest.instantiate();
    expect(guest.initialised).toBe(initialised + 2);
  });

  test("a guest that asks at its start for what is its pod's own is known for it", async () => {
    const guest = new Guest(artifact);
    expect(guest.component.knowsItsPod).toBe(false);
    await guest.ask("GET");
    await guest.ask("GET");
    expect(guest.component.knowsItsPod).toBe(true);
    guest.component.release?.();
    expect(guest.component.knowsItsPod).toBe(false);
  });

  test("a guest that reads the clock while it is initialised is initialised for each request", async () => {
    const guest = new Guest(await artifactOf(tracesGuest("(drop (call $now))")));
    for (let round = 0; round < 5; round++) expect(await guest.ask("GET")).toBe(200);
    expect(guest.initialised).toBe(5);
  });
});
