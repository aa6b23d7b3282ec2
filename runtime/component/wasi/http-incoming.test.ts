import { expect, test } from "vitest";
import { ByteQueue } from "./byte-queue.ts";
import { testContext } from "./context.fixture.ts";
import { IncomingRequest, type IncomingBody } from "./http-incoming.ts";

const head = { method: "POST", target: "/", scheme: "http", authority: "a.test", headers: [] };

/** A request whose body has arrived with its trailers, and the body of it. */
function arrived(trailers: readonly string[]): IncomingBody {
  const { context } = testContext();
  const body = new ByteQueue();
  body.push(Buffer.from("all of it"));
  body.end();
  const consumed = new IncomingRequest(context, { ...head, body, trailers: () => trailers }).consume();
  if (consumed.tag !== "ok") throw new Error("a body is there once");
  return consumed.val;
}

function readAll(body: IncomingBody): void {
  const stream = body.stream();
  if (stream.tag !== "ok") throw new Error("a stream is there once");
  stream.val.read(100n);
  stream.val[Symbol.dispose]();
}

test("trailers come with the end of a body, once, and cannot be changed", () => {
  const body = arrived(["x-checksum", "abc", "x-checksum", "def"]);
  readAll(body);
  const future = body.finish();
  expect(future.subscribe().ready()).toBe(true);
  const got = future.get();
  const fields = got.tag === "ok" && got.val.tag === "ok" ? got.val.val : undefined;
  expect(fields?.get("x-checksum").map((value) => Buffer.from(value).toString())).toEqual(["abc", "def"]);
  expect(fields?.delete("x-checksum")).toMatchObject({ tag: "err", val: { tag: "immutable" } });
  expect(future.get().tag).toBe("err");
});

test("without trailers there are none, and to whoever has not read the body they have not come", () => {
  const plain = arrived([]);
  readAll(plain);
  expect(plain.finish().get()).toEqual({ tag: "ok", val: { tag: "ok", val: undefined } });
  expect(arrived(["x-checksum", "abc"]).finish().get()).toEqual({ tag: "ok", val: { tag: "ok", val: undefined } });
});
