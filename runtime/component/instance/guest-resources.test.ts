import { describe, expect, test } from "vitest";
import { guestOfText, type Guest } from "../testing/guest.ts";
import { makersComponent, type MakersCore } from "../testing/makers.ts";

interface Run {
  readonly guest: Guest;
  readonly dropped: number[];
  readonly marks: number[];
}

async function makers(core: MakersCore): Promise<Run> {
  const dropped: number[] = [];
  const marks: number[] = [];
  const api = { dropped: (rep: number) => void dropped.push(rep), mark: (n: number) => void marks.push(n) };
  return { guest: await guestOfText(makersComponent(core), { host: { "test:host/api": api } }), dropped, marks };
}

const handlesOf = ({ live }: Guest): readonly number[] => live.states.map(({ handles }) => handles.size);

// test/resources/borrows.wast, handle-table.wast, multiple-resources.wast: what owns and borrows do between components.
const rules: readonly {
  readonly name: string;
  readonly core: MakersCore;
  readonly call?: string;
  readonly dropped: readonly number[];
}[] = [
  {
    name: "the user drops what it owns",
    core: { run: "(call $drop (call $make (i32.const 7)))" },
    dropped: [7],
  },
  {
    name: "a representation is 32 bits of any kind",
    core: { run: "(call $drop (call $make (i32.const -2)))" },
    dropped: [4_294_967_294],
  },
  {
    name: "the user gives back what it owns, and the maker drops it",
    core: { run: "(call $take (call $make (i32.const 7)))" },
    dropped: [7],
  },
  {
    name: "the maker keeps what it is given back",
    core: { run: "(call $take (call $make (i32.const 7)))", take: "" },
    dropped: [],
  },
  {
    name: "the maker sees the representation of what it is lent, and has nothing to drop",
    core: {
      run: `(local.set $x (call $make (i32.const 7)))
        (if (i32.ne (call $look (local.get $x)) (i32.const 7)) (then unreachable))
        (if (i32.ne (call $look (local.get $x)) (i32.const 7)) (then unreachable))
        (call $drop (local.get $x))`,
    },
    dropped: [7],
  },
  {
    name: "the maker sees the representation of what it is given, by its handle",
    core: {
      run: "(call $take (call $make (i32.const 9)))",
      take: "(if (i32.ne (call $rep (local.get $x)) (i32.const 9)) (then unreachable)) (call $drop (local.get $x))",
    },
    dropped: [9],
  },
  {
    name: "what goes there and back is the same resource under a handle",
    core: {
      run: `(local.set $x (call $pass (call $make (i32.const 7))))
        (if (i32.ne (call $look (local.get $x)) (i32.const 7)) (then unreachable))
        (call $drop (local.get $x))`,
    },
    dropped: [7],
  },
  {
    name: "one is lent, another is given",
    core: {
      run: `(local.set $x (call $make (i32.const 1))) (local.set $y (call $make (i32.const 2)))
        (call $look-and-take (local.get $x) (local.get $y)) (call $drop (local.get $x))`,
    },
    dropped: [2, 1],
  },
  {
    name: "a component drops a resource of its own while a call is in it",
    call: "maker#alone",
    core: { alone: "(call $drop (call $new (i32.const 5)))" },
    dropped: [5],
  },
];

describe("resources of a guest", () => {
  test.each(rules)("$name", async ({ core, call = "user#run", dropped: wanted }) => {
    const { guest, dropped } = await makers(core);
    guest.call(call);
    expect(dropped).toEqual(wanted);
    expect(handlesOf(guest).reduce((sum, size) => sum + size, 0)).toBe(core.take === "" ? 1 : 0);
  });

  test("the destructor has run when `resource.drop` returns", async () => {
    const { guest, marks } = await makers({
      dtor: "(call $mark (i32.const 2))",
      run: "(local.set $x (call $make (i32.const 7))) (call $mark (i32.const 1)) (call $drop (local.get $x)) (call $mark (i32.const 3))",
    });
    guest.call("user#run");
    expect(marks).toEqual([1, 2, 3]);
  });

  test("the host holds one, lends it, and gives it back", async () => {
    const { guest, dropped } = await makers({});
    const held = guest.call("maker#make", 77);
    expect(handlesOf(guest).every((size) => size === 0)).toBe(true);
    expect(guest.call("maker#look", held)).toBe(77);
    expect(guest.call("user#borrow", held)).toBe(77);
    expect(dropped).toEqual([]);
    guest.call("user#own", held);
    expect(dropped).toEqual([77]);
    expect(handlesOf(guest).every((size) => size === 0)).toBe(true);
  });
});

const broken: readonly { readonly name: string; readonly core: MakersCore; readonly because: RegExp }[] = [
  {
    name: "giving away the handle that the same call lends",
    core: {
      run: "(local.set $x (call $make (i32.const 1))) (call $look-and-take (local.get $x) (local.get $x))",
    },
    because: /is lent/,
  },
  {
    name: "using what was given back",
    core: {
      run: "(local.set $x (call $make (i32.const 1))) (call $take (local.get $x)) (drop (call $look (local.get $x)))",
    },
    because: /no handle 1/,
  },
  {
    name: "using what was dropped",
    core: {
      run: "(local.set $x (call $make (i32.const 1))) (call $drop (local.get $x)) (drop (call $look (local.get $x)))",
    },
    because: /no handle 1/,
  },
  {
    // test/resources/handle-table.wast: tables are those of an instance; a handle of one means nothing in another.
    name: "a handle of another component",
    core: { run: "(call $take (call $make (i32.const 1)))", take: "(call $drop (i32.const 2))" },
    because: /no handle 2/,
  },
  {
    name: "a destructor that traps",
    core: { run: "(call $drop (call $make (i32.const 1)))", dtor: "unreachable" },
    because: /trap/,
  },
  {
    name: "an index that came free and is used before it is given out again",
    core: { run: "(call $drop (i32.const 1))" },
    because: /no handle 1/,
  },
];

describe("resources of a guest: what ends it", () => {
  test.each(broken)("$name", async ({ core, because }) => {
    const { guest } = await makers(core);
    expect(() => guest.call("user#run")).toThrow(because);
    expect(() => guest.call("maker#alone")).toThrow(because);
  });

  test("what it was lent is still there when the call ends", async () => {
    const { guest } = await makers({});
    const held = guest.call("maker#make", 1);
    expect(() => guest.call("user#keep", held)).toThrow(/still holds/);
  });
});

test("two instances of one component define two resources", async () => {
  const guest = await guestOfText(`(component
    (component $Maker
      (type $R' (resource (rep i32)))
      (export $R "r" (type $R'))
      (core func $new (canon resource.new $R'))
      (core module $Core (import "r" "new" (func $new (param i32) (result i32)))
        (func (export "make") (result i32) (call $new (i32.const 1))))
      (core instance $core (instantiate $Core (with "r" (instance (export "new" (func $new))))))
      (func (export "make") (result (own $R)) (canon lift (core func $core "make"))))
    (instance $a (instantiate $Maker))
    (instance $b (instantiate $Maker))
    (alias export $a "r" (type $A))
    (alias export $b "r" (type $B))
    (core func $make-a (canon lower (func $a "make")))
    (core func $drop-a (canon resource.drop $A))
    (core func $drop-b (canon resource.drop $B))
    (core module $Core
      (import "r" "make-a" (func $make-a (result i32)))
      (import "r" "drop-a" (func $drop-a (param i32)))
      (import "r" "drop-b" (func $drop-b (param i32)))
      (func (export "right") (call $drop-a (call $make-a)))
      (func (export "wrong") (call $drop-b (call $make-a))))
    (core instance $core (instantiate $Core (with "r" (instance
      (export "make-a" (func $make-a)) (export "drop-a" (func $drop-a)) (export "drop-b" (func $drop-b))))))
    (func (export "right") (canon lift (core func $core "right")))
    (func (export "wrong") (canon lift (core func $core "wrong"))))`);
  guest.call("right");
  expect(() => guest.call("wrong")).toThrow(/of another resource/);
});
