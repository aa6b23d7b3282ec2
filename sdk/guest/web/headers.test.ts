import { describe, expect, test } from "vitest";
import { Headers as GuestHeaders } from "./headers.ts";

describe("Headers", () => {
  test.each([
    { name: "a record", init: { "X-B": "2", "x-a": " 1\t" } },
    {
      name: "pairs, joined when equal",
      init: [
        ["a", "1"],
        ["A", "2"],
        ["b", "3"],
      ] as [string, string][],
    },
    {
      name: "set-cookie, never joined",
      init: [
        ["set-cookie", "a=1"],
        ["x", "y"],
        ["Set-Cookie", "b=2"],
      ] as [string, string][],
    },
    { name: "nothing", init: undefined },
  ])("lists as Node does: $name", ({ init }) => {
    expect([...new GuestHeaders(init)]).toEqual([...new Headers(init)]);
    expect([...new GuestHeaders(init).keys()]).toEqual([...new Headers(init).keys()]);
    expect([...new GuestHeaders(init).values()]).toEqual([...new Headers(init).values()]);
    expect([...new GuestHeaders(new GuestHeaders(init))]).toEqual([...new Headers(init)]);
  });

  test("get joins, set replaces, delete removes, names in any case", () => {
    const headers = new GuestHeaders([
      ["Accept", "a"],
      ["accept", "b"],
    ]);
    expect(headers.get("ACCEPT")).toBe("a, b");
    headers.set("aCCept", "c");
    expect(headers.get("accept")).toBe("c");
    expect(headers.has("Accept")).toBe(true);
    headers.delete("ACCEPT");
    expect(headers.get("accept")).toBeNull();
    expect(headers.has("accept")).toBe(false);
  });

  test("getSetCookie gives each by itself", () => {
    const headers = new GuestHeaders();
    headers.append("set-cookie", "a=1, still a");
    headers.append("set-cookie", "b=2");
    expect(headers.getSetCookie()).toEqual(["a=1, still a", "b=2"]);
    expect(headers.get("set-cookie")).toBe("a=1, still a, b=2");
  });

  test("forEach calls with value, name, headers", () => {
    const seen: unknown[] = [];
    const headers = new GuestHeaders({ a: "1" });
    headers.forEach((value, name, all) => seen.push([value, name, all === headers]));
    expect(seen).toEqual([["1", "a", true]]);
  });

  test.each([
    ["", "x"],
    ["a b", "x"],
    ["é", "x"],
    ["a:", "x"],
    ["a", "x\r\ny: z"],
    ["a", "x\0"],
  ])("refuses %j: %j", (name, value) => {
    expect(() => new GuestHeaders([[name, value]])).toThrow(TypeError);
    expect(() => new Headers([[name, value]])).toThrow(TypeError);
  });

  test("refuses what is no pair", () => {
    const init = [["a"]] as unknown as [string, string][];
    expect(() => new GuestHeaders(init)).toThrow(TypeError);
    expect(() => new GuestHeaders([["a", "b", "c"]] as unknown as [string, string][])).toThrow(TypeError);
  });

  test("those that have come are asked for when the first is, once, and combined as any", () => {
    let asked = 0;
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const headers = GuestHeaders.received(() => {
      asked += 1;
      return [
        ["x", bytes(" 1 ")],
        ["set-cookie", bytes("a=1")],
        ["X", bytes("é")],
        ["set-cookie", bytes("b=2")],
      ];
    });
    expect(asked).toBe(0);
    expect(headers.get("x")).toBe("1, é");
    expect(headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect([...new GuestHeaders(headers)]).toEqual([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["x", "1, é"],
    ]);
    headers.append("x", "2");
    headers.delete("set-cookie");
    expect([...headers]).toEqual([["x", "1, é, 2"]]);
    expect(asked).toBe(1);
  });
});
