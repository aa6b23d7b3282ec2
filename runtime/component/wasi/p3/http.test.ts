import { describe, expect, test } from "vitest";
import type { GuestRequest, GuestResponse } from "../../engine.ts";
import { ByteQueue } from "../byte-queue.ts";
import { testContext } from "../context.fixture.ts";
import type { GuestContext } from "../guest-context.ts";
import { BodySink } from "../http-body-sink.ts";
import { MessageBody, type Sent, type Trailers } from "./http-body.ts";
import { Fields } from "./http-fields.ts";
import { HttpRequest } from "./http-request.ts";
import { RequestOptions } from "./http-request-options.ts";
import { HttpResponse } from "./http-response.ts";
import { bytes, codeOf, future, must, readText, text, WrittenStream } from "./reader.fixture.ts";

const well = { tag: "ok", val: undefined } as const;
const noTrailers = future<Trailers>(well);
const fieldsOf = (context: GuestContext, entries: readonly (readonly [string, string])[]): Fields =>
  must(
    Fields.fromList(
      context,
      entries.map(([name, value]) => [name, bytes(value)]),
    ),
  );

describe("fields of 0.3", () => {
  test("keep the case that names were given in, and compare without", () => {
    const { context } = testContext();
    const fields = fieldsOf(context, [
      ["X-One", "1"],
      ["x-one", "2"],
    ]);
    expect(fields.copyAll()).toEqual([
      ["X-One", bytes("1")],
      ["x-one", bytes("2")],
    ]);
    const copy = fields.clone();
    expect(must(copy.getAndDelete("x-ONE"))).toEqual([bytes("1"), bytes("2")]);
    expect([copy.has("x-one"), fields.has("x-one"), must(copy.getAndDelete("x-one"))]).toEqual([false, true, []]);
    expect(fields.toFlat()).toEqual(["x-one", "1", "x-one", "2"]);
  });

  test("that do not fit are an error, and leave what was there", () => {
    const { context } = testContext({ headersMax: 2, headerBytesMax: 200 });
    const fields = fieldsOf(context, [["a", "1"]]);
    expect(codeOf(fields.append("b", new Uint8Array(300)))).toBe("size-exceeded");
    expect(codeOf(fields.set("a", [bytes("1"), bytes("2"), bytes("3")]))).toBe("size-exceeded");
    expect(codeOf(fields.set("a", [bytes("2"), bytes("3")]))).toBe("ok");
    expect(codeOf(fields.append("c", bytes("4")))).toBe("size-exceeded");
    expect(fields.get("a")).toEqual([bytes("2"), bytes("3")]);
    expect(context.breach?.code).toBe("GUEST_HEADERS");
    const entries = ["a", "b", "c"].map((name) => [name, bytes("1")] as const);
    expect(codeOf(Fields.fromList(context, entries))).toBe("size-exceeded");
    expect(context.handleCount).toBe(1);
    expect(codeOf(fields.immutableCopy().getAndDelete("a"))).toBe("immutable");
    expect(codeOf(new Fields(context).append("host", bytes("x")))).toBe("forbidden");
  });
});

test("request options are a guest's own until they belong to a request", () => {
  const { context } = testContext();
  const options = new RequestOptions(context);
  must(options.setConnectTimeout(1n));
  must(options.setFirstByteTimeout(2n));
  must(options.setBetweenBytesTimeout(3n));
  const headers = new Fields(context);
  const [request] = HttpRequest.make(context, headers, { contents: undefined, trailers: noTrailers }, options);
  const kept = request.getOptions()!;
  expect([kept.getConnectTimeout(), kept.getFirstByteTimeout(), kept.getBetweenBytesTimeout()]).toEqual([1n, 2n, 3n]);
  expect(codeOf(kept.setConnectTimeout(undefined))).toBe("immutable");
  expect(codeOf(kept.clone().setConnectTimeout(undefined))).toBe("ok");
});

describe("a request that a guest makes", () => {
  const made = (context: GuestContext, contents?: WrittenStream): [HttpRequest, Promise<Sent>] =>
    HttpRequest.make(context, fieldsOf(context, [["x-a", "1"]]), { contents, trailers: noTrailers }, undefined);

  test("is what it was set to be", () => {
    const [request] = made(testContext().context);
    expect([request.getMethod(), request.getScheme(), request.getPathWithQuery(), request.getAuthority()]).toEqual([
      { tag: "get" },
      undefined,
      undefined,
      undefined,
    ]);
    expect(request.getOptions()).toBeUndefined();
    expect(codeOf(request.getHeaders().append("x", bytes("1")))).toBe("immutable");
    const other = (val: string): { tag: "other"; val: string } => ({ tag: "other", val });
    expect(request.setMethod(other("a b")).tag).toBe("err");
    expect(request.setScheme(other("not a scheme")).tag).toBe("err");
    expect(request.setPathWithQuery("/a\r\nb").tag).toBe("err");
    expect(request.setAuthority("user@host").tag).toBe("err");
    expect(request.setMethod(other("PURGE")).tag).toBe("ok");
    expect(request.setScheme(other("gopher")).tag).toBe("ok");
    expect(request.setPathWithQuery("/a?b").tag).toBe("ok");
    expect(request.setAuthority("host:80").tag).toBe("ok");
  });

  test("may be read by another part of the guest, which says how it went", async () => {
    const { context } = testContext();
    const [request, sent] = made(context, WrittenStream.of("body"));
    const handled = { tag: "err", val: { tag: "HTTP-protocol-error" } } as Sent;
    const [reader, trailers] = request.consumeBody(future(handled));
    expect([await readText(reader), trailers, await sent]).toEqual(["body", noTrailers, handled]);
    expect(context.handleCount).toBe(0);
  });

  test("and drops was not sent", async () => {
    const contents = new WrittenStream();
    const [request, sent] = made(testContext().context, contents);
    request[Symbol.dispose]();
    expect([codeOf(await sent), contents.isDropped]).toEqual(["internal-error", true]);
  });
});

test("a request that has come is what came, with its body and its trailers", async () => {
  const { context } = testContext();
  const body = new ByteQueue();
  const guestRequest: GuestRequest = {
    method: "PUT",
    target: "/x",
    scheme: "https",
    authority: "a.test",
    headers: ["x-a", "1"],
    body,
    trailers: () => ["x-end", "2"],
  };
  const request = HttpRequest.arrived(context, guestRequest);
  expect([request.getMethod(), request.getScheme(), request.getPathWithQuery(), request.getAuthority()]).toEqual([
    { tag: "put" },
    { tag: "HTTPS" },
    "/x",
    "a.test",
  ]);
  expect(request.getHeaders().copyAll()).toEqual([["x-a", bytes("1")]]);
  const [reader, trailers] = request.consumeBody(future<Sent>(well));
  body.push(bytes("in pieces"));
  body.end();
  expect(await readText(reader, 4)).toBe("in pieces");
  expect(must(await (trailers as Promise<Trailers>))?.copyAll()).toEqual([["x-end", bytes("2")]]);
});

/** Takes an answer apart. */
class Received implements GuestResponse {
  status = 0;
  headers: readonly string[] = [];
  content = "";
  outcome = "open";
  readonly body = {
    ready: () => true,
    capacity: () => 65_536,
    write: (content: Uint8Array) => void (this.content += text(content)),
    flushed: () => true,
    failure: () => undefined,
    subscribe: () => () => undefined,
  };

  respond(status: number, headers: readonly string[]): void {
    Object.assign(this, { status, headers });
  }

  finish(trailers: readonly string[]): void {
    this.outcome = `finished ${trailers.join(" ")}`;
  }

  fail(message: string): void {
    this.outcome = message;
  }
}

describe("an answer", () => {
  async function answered(
    headers: readonly (readonly [string, string])[],
    body: { readonly contents?: WrittenStream; readonly trailers?: (context: GuestContext) => Trailers },
    isHead = false,
  ): Promise<{ readonly received: Received; readonly sent: Sent }> {
    const { context } = testContext();
    const received = new Received();
    const trailers = body.trailers === undefined ? noTrailers : future(body.trailers(context));
    const [response, sent] = HttpResponse.make(context, fieldsOf(context, headers), {
      contents: body.contents,
      trailers,
    });
    must(response.setStatusCode(202));
    await response.send(received, { isHead });
    expect(context.handleCount).toBe(0);
    return { received, sent: await sent };
  }

  test("is given with its body and its trailers", async () => {
    const trailers = (context: GuestContext): Trailers => ({ tag: "ok", val: fieldsOf(context, [["X-Sum", "1"]]) });
    const { received, sent } = await answered([["X-A", "1"]], { contents: WrittenStream.of("a", "b"), trailers });
    expect(received).toMatchObject({ status: 202, headers: ["x-a", "1"], content: "ab", outcome: "finished x-sum 1" });
    expect(sent).toEqual(well);
  });

  test("may have no contents, and to HEAD has none whatever it writes", async () => {
    expect((await answered([], {})).received).toMatchObject({ content: "", outcome: "finished " });
    const { received, sent } = await answered([["content-length", "9"]], { contents: WrittenStream.of("a") }, true);
    expect([received.content, received.outcome, sent]).toEqual(["", "finished ", well]);
  });

  test("whose trailers are an error is cut off", async () => {
    const trailers = (): Trailers => ({ tag: "err", val: { tag: "internal-error", val: "disk" } });
    const { received, sent } = await answered([], { contents: WrittenStream.of("a"), trailers });
    expect(received.outcome).toBe("the guest ended its body with the error internal-error: disk");
    expect(codeOf(sent)).toBe("internal-error");
  });

  test.each(["ab", "abcdef"])("that is not as long as announced is cut off: %s", async (content) => {
    const { received, sent } = await answered([["content-length", "4"]], { contents: WrittenStream.of(content) });
    expect(received.outcome).toMatch(/announced/);
    expect(codeOf(sent)).toBe("HTTP-response-body-size");
  });

  test("that is dropped was not sent; a status has three digits", async () => {
    const { context } = testContext();
    const body = { contents: new WrittenStream(), trailers: noTrailers };
    const [response, sent] = HttpResponse.make(context, new Fields(context), body);
    expect([100, 199, 1000].map((status) => response.setStatusCode(status).tag)).toEqual(["err", "err", "err"]);
    expect(response.getStatusCode()).toBe(200);
    response[Symbol.dispose]();
    expect([codeOf(await sent), body.contents.isDropped]).toEqual(["internal-error", true]);
  });

  test("rejects when the guest fails while it writes", async () => {
    const { context } = testContext();
    const contents = { read: () => Promise.reject(new Error("trap")), drop: () => undefined };
    const body = new MessageBody(contents, noTrailers);
    await expect(body.sendTo(context, new BodySink(8), "HTTP-response-body-size")).rejects.toThrow("trap");
  });
});
