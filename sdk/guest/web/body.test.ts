import { ReadableStream } from "web-streams-polyfill";
import { describe, expect, test } from "vitest";
import { Blob } from "./blob.ts";
import { FormData } from "./form-data.ts";
import { Request } from "./request.ts";
import { Response } from "./response.ts";

const streamOf = (...texts: string[]): ReadableStream<Uint8Array> =>
  ReadableStream.from(texts.map((text) => new TextEncoder().encode(text)));

describe("a body", () => {
  test.each([
    { name: "text", init: "héllo", type: "text/plain;charset=UTF-8", text: "héllo" },
    { name: "bytes", init: new TextEncoder().encode("ab"), type: null, text: "ab" },
    {
      name: "a view at its place",
      init: new DataView(new TextEncoder().encode("xaby").buffer, 1, 2),
      type: null,
      text: "ab",
    },
    { name: "a buffer", init: new TextEncoder().encode("ab").buffer, type: null, text: "ab" },
    { name: "a blob", init: new Blob(["ab"], { type: "image/PNG" }), type: "image/png", text: "ab" },
    {
      name: "search parameters",
      init: new URLSearchParams({ a: "1 2" }),
      type: "application/x-www-form-urlencoded;charset=UTF-8",
      text: "a=1+2",
    },
    { name: "a stream", init: streamOf("a", "b"), type: null, text: "ab" },
    { name: "nothing", init: null, type: null, text: "" },
  ])("of $name has its type and text", async ({ init, type, text }) => {
    const response = new Response(init);
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.bodyUsed).toBe(false);
    expect(await response.text()).toBe(text);
    expect(response.bodyUsed).toBe(init !== null);
  });

  test("comes as JSON, bytes, buffer and blob", async () => {
    expect(await new Response('{"a":[1]}').json()).toEqual({ a: [1] });
    expect([...(await new Response("ab").bytes())]).toEqual([97, 98]);
    expect((await new Response("ab").arrayBuffer()).byteLength).toBe(2);
    const blob = await new Response("ab", { headers: { "content-type": "text/css" } }).blob();
    expect([blob.type, await blob.text()]).toEqual(["text/css", "ab"]);
    await expect(new Response("{").json()).rejects.toThrow(SyntaxError);
  });

  test("as a buffer holds only itself", async () => {
    const backing = new TextEncoder().encode("0123456789");
    const buffer = await new Response(backing.subarray(2, 4)).arrayBuffer();
    expect(new TextDecoder().decode(buffer)).toBe("23");
  });

  test("is copied when it is given: what changes afterwards is not sent", async () => {
    const bytes = new TextEncoder().encode("ab");
    const response = new Response(bytes);
    bytes.fill(0);
    expect(await response.text()).toBe("ab");
    const blob = new Blob(["ab"]);
    (await new Response(blob).bytes()).fill(0);
    expect(await blob.text()).toBe("ab");
  });

  test("can be read once", async () => {
    const response = new Response("a");
    await response.text();
    await expect(response.text()).rejects.toThrow(TypeError);
    expect(() => response.clone()).toThrow(TypeError);
  });

  test("that was read through its stream is used, one that is only locked cannot be read", async () => {
    const response = new Response("a");
    const reader = response.body?.getReader();
    expect(response.bodyUsed).toBe(false);
    await expect(response.text()).rejects.toThrow(TypeError);
    await reader?.read();
    expect(response.bodyUsed).toBe(true);
    reader?.releaseLock();
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  test("cannot be a stream that is in use", async () => {
    const stream = streamOf("a");
    const reader = stream.getReader();
    expect(() => new Response(stream)).toThrow(TypeError);
    await reader.read();
    reader.releaseLock();
    expect(() => new Response(stream)).toThrow(TypeError);
  });

  test("must be a stream of bytes", async () => {
    const stream = ReadableStream.from(["text"]) as unknown as ReadableStream<Uint8Array>;
    await expect(new Response(stream).text()).rejects.toThrow("Uint8Array");
  });

  test.each(["bytes", "stream"])("is the same in a clone: %s", async (kind) => {
    const response = new Response(kind === "bytes" ? "ab" : streamOf("a", "b"), { status: 201, headers: { x: "y" } });
    const clone = response.clone();
    expect([await response.text(), await clone.text()]).toEqual(["ab", "ab"]);
    expect([clone.status, clone.headers.get("x")]).toEqual([201, "y"]);
  });
});

describe("Response", () => {
  test("json, redirect, error, ok", async () => {
    const json = Response.json({ a: 1 }, { status: 201 });
    expect([json.status, json.ok, json.headers.get("content-type"), await json.text()]).toEqual([
      201,
      true,
      "application/json",
      '{"a":1}',
    ]);
    expect(() => Response.json(undefined)).toThrow(TypeError);
    const redirect = Response.redirect("http://h/x", 307);
    expect([redirect.status, redirect.ok, redirect.headers.get("location")]).toEqual([307, false, "http://h/x"]);
    expect(() => Response.redirect("http://h/x", 200)).toThrow(RangeError);
    expect([Response.error().type, Response.error().status]).toEqual(["error", 0]);
  });

  test.each([199, 600, 200.5, Number.NaN])("refuses status %d", (status) => {
    expect(() => new Response(null, { status })).toThrow(RangeError);
  });

  test.each([204, 205, 304])("with status %d has no body", (status) => {
    expect(() => new Response("", { status })).toThrow(TypeError);
    expect(new Response(null, { status }).body).toBeNull();
  });
});

describe("Request", () => {
  test("has a whole URL, and a method in upper case where the standard says so", () => {
    expect(new Request("http://H:80/a/../b?c#d").url).toBe("http://h/b?c#d");
    expect(new Request("http://h", { method: "post" }).method).toBe("POST");
    expect(new Request("http://h", { method: "patch" }).method).toBe("patch");
    expect(() => new Request("/relative")).toThrow(TypeError);
  });

  test.each(["a b", "", "TRACE", "connect"])("refuses method %j", (method) => {
    expect(() => new Request("http://h", { method })).toThrow(TypeError);
  });

  test.each(["GET", "head"])("with %s has no body", (method) => {
    expect(() => new Request("http://h", { method, body: "" })).toThrow(TypeError);
  });

  test("made of another takes its body over, and what is given instead wins", async () => {
    const first = new Request("http://h/1", { method: "PUT", body: "ab", headers: { a: "1" } });
    const second = new Request(first, { headers: { b: "2" } });
    expect([second.method, second.url, second.headers.get("a"), second.headers.get("b")]).toEqual([
      "PUT",
      "http://h/1",
      null,
      "2",
    ]);
    expect(await second.text()).toBe("ab");
    await expect(first.text()).rejects.toThrow(TypeError);
    expect(() => new Request(first)).toThrow(TypeError);
  });

  test("takes another as its settings, as frameworks do to rewrite a URL", async () => {
    const first = new Request("http://h/1", { method: "POST", body: "ab", headers: { a: "1" } });
    const second = new Request("http://h/2", first);
    expect([second.url, second.method, second.headers.get("a"), await second.text()]).toEqual([
      "http://h/2",
      "POST",
      "1",
      "ab",
    ]);
  });

  test("clone reads the same, and hears of the same abort", async () => {
    const gone = new AbortController();
    const request = new Request("http://h", { method: "POST", body: "ab", signal: gone.signal as never });
    const clone = request.clone();
    gone.abort();
    expect([await request.text(), await clone.text(), clone.signal.aborted]).toEqual(["ab", "ab", true]);
  });
});

test("a form sent as a body comes back from it", async () => {
  const form = new FormData();
  form.append("a", "1");
  const request = new Request("http://h", { method: "POST", body: form });
  expect([...(await request.formData())]).toEqual([["a", "1"]]);
  await expect(new Response("x").formData()).rejects.toThrow(TypeError);
});
