import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Blob, File } from "./blob.ts";
import { FormData } from "./form-data.ts";
import { formDataOf, multipartOf } from "./multipart.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Names and texts as HTML forms send them: line breaks are CRLF. */
const text = fc.string({ unit: "grapheme" }).map((value) => value.replace(/\r\n|\r|\n/g, "\r\n"));
const name = text.map((value) => value.replaceAll("%", "_"));

describe("multipart/form-data", () => {
  test("what is written is read back, and Node reads it too", async () => {
    const value = fc.oneof(text, fc.tuple(fc.uint8Array({ maxLength: 200 }), name));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 4 }), async (entries) => {
        const form = new FormData();
        for (const [key, item] of entries) {
          if (typeof item === "string") form.append(key, item);
          else form.append(key, new File([item[0]], item[1], { type: "image/png" }));
        }
        const [body, type] = multipartOf(form);
        expect(await plain(formDataOf(body, type))).toEqual(await plain(form));
        if (entries.length === 0) return;
        const node = await new Response(body as Uint8Array<ArrayBuffer>, {
          headers: { "content-type": type },
        }).formData();
        expect(await plain(node)).toEqual(await plain(form));
      }),
      { numRuns: 50 },
    );
  });

  test("what Node writes is read", async () => {
    const form = new globalThis.FormData();
    form.append('a "quoted"\nname', "1\n2");
    form.append("file", new globalThis.File([Uint8Array.of(13, 10, 45, 45, 0, 255)], "ü.bin", { type: "image/png" }));
    const sent = new Response(form);
    const read = formDataOf(await sent.bytes(), sent.headers.get("content-type") ?? "");
    expect(await plain(read)).toEqual([
      ['a "quoted"\r\nname', "1\r\n2"],
      ["file", ["ü.bin", "image/png", [13, 10, 45, 45, 0, 255]]],
    ]);
  });

  test("curl's form: boundary in quotes, preamble, epilogue, no type", async () => {
    const body =
      'preamble\r\n--b d\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\nab\r\n--b d--\r\nepilogue';
    const form = formDataOf(bytes(body), 'multipart/form-data; charset=utf-8; boundary="b d"');
    expect(await plain(form)).toEqual([["f", ["x", "text/plain", [97, 98]]]]);
  });

  test.each([
    { what: "no boundary", body: "", type: "multipart/form-data" },
    { what: "another type", body: "{}", type: "application/json" },
    { what: "nothing", body: "", type: "multipart/form-data; boundary=b" },
    {
      what: "a cut in the middle",
      body: '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx',
      type: "multipart/form-data; boundary=b",
    },
    { what: "a cut after the delimiter", body: "--b", type: "multipart/form-data; boundary=b" },
    { what: "a part without headers", body: "--b\r\nx\r\n--b--", type: "multipart/form-data; boundary=b" },
    { what: "a part without a name", body: "--b\r\nx: y\r\n\r\nz\r\n--b--", type: "multipart/form-data; boundary=b" },
  ])("refuses $what", ({ body, type }) => {
    expect(() => formDataOf(bytes(body), type)).toThrow(TypeError);
  });

  test("never hangs or fails otherwise on hostile bytes", () => {
    const piece = fc.constantFrom(
      "--b",
      "\r\n",
      "--",
      'content-disposition: form-data; name="a"',
      "\r\n\r\n",
      "x",
      "\r",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          formDataOf(bytes(pieces.join("")), "multipart/form-data; boundary=b");
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a megabyte of line breaks is read in time", () => {
    const form = new FormData();
    form.append("f", new Blob(["\r\n--".repeat(250_000)]));
    const [body, type] = multipartOf(form);
    const file = formDataOf(body, type).get("f");
    expect(file instanceof File && file.size).toBe(1_000_000);
  });
});

test("application/x-www-form-urlencoded is read", () => {
  const form = formDataOf(bytes("a=1&b=%C3%BC+x&a=2"), "application/x-www-form-urlencoded; charset=UTF-8");
  expect([...form]).toEqual([
    ["a", "1"],
    ["b", "ü x"],
    ["a", "2"],
  ]);
});

describe("FormData", () => {
  test("append, set, delete, get, getAll, has, and iteration in order", () => {
    const form = new FormData();
    form.append("a", "1");
    form.append("b", "2");
    form.append("a", "3");
    expect([form.get("a"), form.getAll("a"), form.has("c"), form.get("c")]).toEqual(["1", ["1", "3"], false, null]);
    form.set("a", "4");
    expect([...form.keys()]).toEqual(["b", "a"]);
    expect([...form.values()]).toEqual(["2", "4"]);
    form.delete("b");
    const seen: unknown[] = [];
    form.forEach((value, key) => seen.push([key, value]));
    expect(seen).toEqual([["a", "4"]]);
  });

  test("a blob becomes a file", () => {
    const form = new FormData();
    form.append("a", new Blob(["x"]));
    form.append("b", new Blob(["x"]), "n.txt");
    form.append("c", new File(["x"], "m.txt"), "other.txt");
    expect([...form.values()].map((file) => file instanceof File && file.name)).toEqual(["blob", "n.txt", "other.txt"]);
  });
});

interface FileLike {
  readonly name: string;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

async function plain(form: Iterable<[string, string | FileLike]>): Promise<unknown[]> {
  const list: unknown[] = [];
  for (const [key, value] of form) {
    list.push([
      key,
      typeof value === "string" ? value : [value.name, value.type, [...new Uint8Array(await value.arrayBuffer())]],
    ]);
  }
  return list;
}
