import { describe, expect, test } from "vitest";
import { testContext } from "./context.fixture.ts";
import { Fields } from "./http-fields.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const fields = (): Fields => new Fields(testContext().context);

describe("fields", () => {
  test("keeps order and repetition, and compares names without case", () => {
    const made = fields();
    made.append("Set-Cookie", bytes("a=1"));
    made.append("set-cookie", bytes("b=2"));
    made.append("x-other", bytes("é"));
    expect(made.get("SET-COOKIE")).toEqual([bytes("a=1"), bytes("b=2")]);
    expect(made.toFlat()).toEqual(["set-cookie", "a=1", "set-cookie", "b=2", "x-other", "é"]);
    made.set("Set-Cookie", [bytes("c")]);
    expect(made.get("set-cookie")).toEqual([bytes("c")]);
    made.delete("x-other");
    expect(made.has("X-Other")).toBe(false);
  });

  test.each([
    { name: "connection", value: "close", problem: "forbidden" },
    { name: "Transfer-Encoding", value: "chunked", problem: "forbidden" },
    { name: "host", value: "x", problem: "forbidden" },
    { name: "bad name", value: "x", problem: "invalid-syntax" },
    { name: "", value: "x", problem: "invalid-syntax" },
    { name: "x-a", value: "one\r\nx-b: two", problem: "invalid-syntax" },
    { name: "x-a", value: "nul\0", problem: "invalid-syntax" },
  ])("refuses $name: $value as $problem", ({ name, value, problem }) => {
    const refused = { tag: "err", val: { tag: problem } };
    expect(fields().append(name, bytes(value))).toEqual(refused);
    expect(fields().set(name, [bytes(value)])).toEqual(refused);
    expect(Fields.fromList(testContext().context, [[name, bytes(value)]])).toEqual(refused);
  });

  test("of a message that is on its way cannot be changed; a clone of them can", () => {
    const frozen = fields().freeze();
    expect(frozen.append("x-a", bytes("1"))).toEqual({ tag: "err", val: { tag: "immutable" } });
    expect(frozen.delete("x-a")).toEqual({ tag: "err", val: { tag: "immutable" } });
    expect(frozen.clone().append("x-a", bytes("1")).tag).toBe("ok");
  });

  test("ends a guest that piles them up, by number and by size", () => {
    const many = new Fields(testContext({ headersMax: 3 }).context);
    for (let count = 0; count < 3; count++) many.append("a", bytes(""));
    expect(() => many.append("a", bytes(""))).toThrow(expect.objectContaining({ code: "GUEST_HEADERS" }));
    const large = new Fields(testContext({ headerBytesMax: 100 }).context);
    expect(() => large.append("a", bytes("x".repeat(100)))).toThrow(expect.objectContaining({ code: "GUEST_HEADERS" }));
  });

  test("handles are counted, and given back when dropped", () => {
    const { context } = testContext({ handlesMax: 2 });
    const first = new Fields(context);
    const second = new Fields(context);
    expect(() => new Fields(context)).toThrow(expect.objectContaining({ code: "GUEST_HANDLES" }));
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    expect(context.handleCount).toBe(0);
  });
});
