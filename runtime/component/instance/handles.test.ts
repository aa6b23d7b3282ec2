import { describe, expect, test } from "vitest";
import { guestOfText, type Guest } from "../testing/guest.ts";
import { Thing, thingsComponent, ThingsHost } from "../testing/things.ts";

const failed = expect.objectContaining({ code: "GUEST_FAILED" });

const handleCount = (guest: Guest): number => guest.live.states.reduce((sum, { handles }) => sum + handles.size, 0);

async function withThings(core: Parameters<typeof thingsComponent>[0], handlesMax = 100): Promise<[Guest, ThingsHost]> {
  const host = new ThingsHost();
  return [await guestOfText(thingsComponent(core), { host: host.interfaces, handlesMax }), host];
}

// What all of these end with has one code; the message says which rule it was, so here it is looked at.
const broken: readonly {
  readonly name: string;
  readonly core: Parameters<typeof thingsComponent>[0];
  readonly call?: "run" | "lent" | "given" | "gives";
  readonly because: RegExp;
}[] = [
  // CanonicalABI.md, "Task", `exit_implicit_thread`: trap_if(num_borrows > 0); test/async/drop-cross-task-borrow.wast.
  {
    name: "a borrowed handle that is not dropped before the call ends",
    call: "lent",
    core: { lent: "" },
    because: /still holds/,
  },
  {
    name: "one of two borrows is kept",
    call: "lent",
    core: { lent: "(global.set $kept (local.get $x))" },
    because: /still holds/,
  },
  // test/resources/borrows.wast, `lend-trap`: "cannot remove owned resource while borrowed".
  {
    name: "giving away the handle that the same call lends",
    core: { run: "(local.set $x (call $make)) (call $look-and-take (local.get $x) (local.get $x))" },
    because: /is lent/,
  },
  {
    name: "giving away a handle that is borrowed",
    call: "lent",
    core: { lent: "(call $take (local.get $x))" },
    because: /cannot be given away/,
  },
  {
    name: "an own handle that is used twice",
    core: { run: "(local.set $x (call $make)) (call $take (local.get $x)) (call $take (local.get $x))" },
    because: /no handle 1/,
  },
  {
    name: "looking at what was given away",
    core: { run: "(local.set $x (call $make)) (call $take (local.get $x)) (drop (call $look (local.get $x)))" },
    because: /no handle 1/,
  },
  // test/resources/handle-table.wast: `double-drop`, `drop-never-allocated`, `drop-zero`, `drop-max`.
  {
    name: "a handle that is dropped twice",
    core: { run: "(local.set $x (call $make)) (call $drop (local.get $x)) (call $drop (local.get $x))" },
    because: /no handle 1/,
  },
  {
    name: "dropping a handle that there never was",
    core: { run: "(call $drop (i32.const 5))" },
    because: /no handle 5/,
  },
  { name: "dropping the handle 0", core: { run: "(call $drop (i32.const 0))" }, because: /no handle 0/ },
  { name: "dropping the handle -1", core: { run: "(call $drop (i32.const -1))" }, because: /no handle 4294967295/ },
  { name: "lending the handle 0", core: { run: "(drop (call $look (i32.const 0)))" }, because: /no handle 0/ },
  { name: "giving away the handle 0", core: { run: "(call $take (i32.const 0))" }, because: /no handle 0/ },
  { name: "returning the handle 0", call: "gives", core: { gives: "(i32.const 0)" }, because: /no handle 0/ },
  // test/resources/handle-table.wast: "wrong resource type".
  {
    name: "dropping a handle as another resource",
    core: { run: "(call $drop (call $make-other))" },
    because: /of another resource/,
  },
  {
    name: "lending a handle as another resource",
    core: { run: "(drop (call $look (call $make-other)))" },
    because: /of another resource/,
  },
  {
    name: "giving away a handle as another resource",
    core: { run: "(call $take (call $make-other))" },
    because: /of another resource/,
  },
  {
    name: "returning a handle of another resource",
    call: "gives",
    core: { gives: "(call $make-other)" },
    because: /of another resource/,
  },
  {
    name: "using a borrowed handle after the call that lent it",
    core: {
      lent: "(global.set $kept (local.get $x)) (call $drop (local.get $x))",
      run: "(drop (call $look (global.get $kept)))",
    },
    because: /no handle 1/,
  },
];

describe("a host's resources: what ends the guest", () => {
  test.each(broken)("$name", async ({ core, call = "run", because }) => {
    const [guest] = await withThings(core);
    const args = call === "lent" || call === "given" ? [new Thing()] : [];
    if (core.lent !== undefined && call === "run") guest.call("lent", new Thing());
    expect(() => guest.call(call, ...args)).toThrow(because);
    // The instance is over: what was right before is no longer.
    expect(() => guest.call("given", new Thing())).toThrow(failed);
  });

  test("one handle more than it may have", async () => {
    const [guest] = await withThings({ run: "(loop (drop (call $make)) (br 0))" }, 10);
    expect(() => guest.call("run")).toThrow(expect.objectContaining({ code: "GUEST_HANDLES" }));
    expect(handleCount(guest)).toBe(10);
  });
});

describe("a host's resources: what a guest may do", () => {
  test("drop what it owns, once", async () => {
    const [guest, host] = await withThings({ run: "(call $drop (call $make))" });
    guest.call("run");
    expect(host.made.map(({ drops }) => drops)).toEqual([1]);
    expect(handleCount(guest)).toBe(0);
  });

  test("lend a handle, twice in one call, and still have it", async () => {
    const [guest, host] = await withThings({
      run: `(local.set $x (call $make)) (drop (call $look (local.get $x))) (call $look-twice (local.get $x) (local.get $x))
        (drop (call $look (local.get $x))) (call $drop (local.get $x))`,
    });
    guest.call("run");
    expect(host.looked).toEqual(Array.from({ length: 4 }, () => host.made[0]));
    expect(host.made.map(({ drops }) => drops)).toEqual([1]);
  });

  test("give away what it owns: the host has it, and it is not dropped", async () => {
    const [guest, host] = await withThings({ run: "(call $take (call $make))" });
    guest.call("run");
    expect(host.taken).toEqual(host.made);
    expect(host.made.map(({ drops }) => drops)).toEqual([0]);
    expect(handleCount(guest)).toBe(0);
  });

  test("lend on what it was lent, and drop it", async () => {
    const [guest, host] = await withThings({
      lent: "(drop (call $look (local.get $x))) (call $drop (local.get $x))",
    });
    const thing = new Thing();
    guest.call("lent", thing);
    guest.call("lent", thing);
    expect(host.looked).toEqual([thing, thing]);
    // A borrowed handle that is dropped leaves the thing alone.
    expect(thing.drops).toBe(0);
    expect(handleCount(guest)).toBe(0);
  });

  test("keep what it was given for a later call", async () => {
    const [guest, host] = await withThings({
      given: "(global.set $kept (local.get $x))",
      run: "(call $drop (global.get $kept))",
    });
    const thing = new Thing();
    guest.call("given", thing);
    expect(handleCount(guest)).toBe(1);
    guest.call("run");
    expect(thing.drops).toBe(1);
    expect(host.made).toEqual([]);
  });

  test("return what it owns", async () => {
    const [guest, host] = await withThings({});
    expect(guest.call("gives")).toBe(host.made[0]);
    expect(handleCount(guest)).toBe(0);
  });
});

/** Indices are given out in order, and the one that came free last is given out first (test/resources/handle-table.wast). */
test("indices of handles are those that the canonical ABI says", async () => {
  const is = (index: number, call: string): string =>
    `(if (i32.ne (i32.const ${index}) (call ${call})) (then unreachable))`;
  const [guest] = await withThings({
    run: `${is(1, "$make")} ${is(2, "$make-other")} ${is(3, "$make")}
      (call $drop-other (i32.const 2)) ${is(2, "$make")}
      (call $drop (i32.const 1)) (call $drop (i32.const 2)) (call $drop (i32.const 3))
      ${is(3, "$make")} ${is(2, "$make-other")} ${is(1, "$make")} ${is(4, "$make")}`,
  });
  guest.call("run");
  expect(handleCount(guest)).toBe(4);
});
