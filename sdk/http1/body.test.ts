import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyOf } from "./body.ts";

interface Read {
  readonly body: string;
  readonly trailers: readonly string[] | undefined;
  /** How many bytes it took, or why it is none. */
  readonly taken: number | string;
}

/** Reads `text` in pieces that end where `cuts` say. */
function read(bodyBytes: number | "chunked", text: string, cuts: readonly number[] = []): Read {
  let body = "";
  let trailers: readonly string[] | undefined;
  const reader = bodyOf(
    bodyBytes,
    {
      data: (bytes) => (body += bytes.toString("latin1")),
      end: (given) => (trailers = given),
    },
    { keeps: () => true, countMax: 256 },
  );
  const bytes = Buffer.from(text, "latin1");
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let taken = 0;
  for (const end of ends) {
    if (reader.isOver) break;
    const piece = bytes.subarray(taken, end);
    const count = reader.push(piece);
    if (typeof count === "string") return { body, trailers, taken: count };
    taken += count;
  }
  return { body, trailers, taken };
}

describe("a body of a length", () => {
  test("ends there, and what follows is not its", () => {
    expect(read(5, "hello, world")).toEqual({ body: "hello", trailers: [], taken: 5 });
    expect(read(5, "hel")).toEqual({ body: "hel", trailers: undefined, taken: 3 });
  });
});

describe("a body in chunks", () => {
  test("is what is in them", () => {
    expect(read("chunked", '5\r\nhello\r\n00a;x="y"\r\n, world!!!\r\n0\r\nA: b\r\n\r\nGET')).toEqual({
      body: "hello, world!!!",
      trailers: ["a", "b"],
      taken: 44,
    });
  });

  test("is the same in whatever pieces it comes", () => {
    const chunks = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), { maxLength: 6 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(400), { maxLength: 30 }), (parts, cuts) => {
        const text = `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
        expect(read("chunked", `${text}GET /`, cuts)).toEqual({
          body: parts.join(""),
          trailers: [],
          taken: text.length,
        });
      }),
    );
  });

  test.each([
    ...["\r\n", "x\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n", "-1\r\n"],
    ...["5\nhello\r\n", "5\rhello\r\n", "5\r\nhello!\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello0\r\n\r\n"],
    ...["123456789\r\n", "5;\0\r\nhello\r\n", "5;a\n\r\nhello\r\n", "0\r\nA b: c\r\n\r\n", "0\r\n\n"],
    ...[`5;${"x".repeat(2000)}\r\n`, "1".repeat(2000), `0\r\n${"a: b\r\n".repeat(4000)}\r\n`],
  ])("%j is none", (text) => {
    for (const cuts of [[], Array.from(text, (_, index) => index)])
      expect(read("chunked", text, cuts).taken).toBe("MALFORMED");
  });

  test("that is mostly extensions is none", () => {
    const chunk = `1;${"x".repeat(1000)}\r\na\r\n`;
    expect(read("chunked", chunk.repeat(10)).body).toBe("a".repeat(10));
    expect(read("chunked", chunk.repeat(20)).taken).toBe("MALFORMED");
  });
});
