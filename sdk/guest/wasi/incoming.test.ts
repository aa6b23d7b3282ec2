import type { IncomingRequest } from "wazi:http/types@0.2.10";
import { beforeEach, expect, test } from "vitest";
import type { FunctionModule } from "../function.ts";
import { Response as GuestResponse } from "../web/response.ts";
import { handleIncoming } from "./incoming.ts";
import { Fields, type OutgoingResponse, resetWasi, ResponseOutparam } from "./wasi.fake.ts";

beforeEach(resetWasi);

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request of the host's, which notes what it is asked for. */
function incomingOf({ method = "get", headers = {}, body = "" }: Asked, asked: string[]): IncomingRequest {
  const note = <Value>(what: string, value: Value): Value => {
    asked.push(what);
    return value;
  };
  const chunks = [Buffer.from(body)];
  const input = {
    read: () => {
      const chunk = chunks.shift();
      if (chunk === undefined) throw Object.assign(new Error("closed"), { payload: { tag: "closed" } });
      return chunk;
    },
    [Symbol.dispose]: () => undefined,
  };
  const entries = Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const);
  return {
    method: () => note("method", { tag: method }),
    scheme: () => note("scheme", { tag: "HTTP" }),
    authority: () => note("authority", "hello.example"),
    pathWithQuery: () => note("path", "/a?b=c"),
    headers: () => note("headers", Fields.fromList(entries)),
    consume: () => note("body", { stream: () => input, [Symbol.dispose]: () => undefined }),
  } as unknown as IncomingRequest;
}

function answered(fetch: (request: Request) => unknown, about: Asked = {}) {
  const asked: string[] = [];
  const outparam = new ResponseOutparam();
  handleIncoming({ fetch } as unknown as FunctionModule, incomingOf(about, asked), outparam);
  const response = outparam.response as OutgoingResponse;
  expect(response.isFinished).toBe(true);
  const fields = response.fields.entries().map(([name, value]) => `${name}: ${Buffer.from(value).toString()}`);
  return { asked, fields, status: response.status, text: response.text };
}

test("the host is asked for nothing that the function does not ask for", () => {
  const hello = answered(() => new GuestResponse("hello"));
  expect(hello).toEqual({
    asked: [],
    fields: ["content-type: text/plain;charset=UTF-8"],
    status: 200,
    text: "hello",
  });
});

test("and for each part once", () => {
  const { asked, text } = answered((request) => {
    const seen = [request.url, request.url, request.method, request.method];
    seen.push(request.headers.get("x") ?? "", request.headers.get("x") ?? "");
    return new GuestResponse(seen.join(" "));
  });
  expect(text).toBe("http://hello.example/a?b=c http://hello.example/a?b=c GET GET  ");
  expect(asked).toEqual(["scheme", "authority", "path", "method", "headers"]);
});

test("whether a request has a body its method says, and what it is who reads it", () => {
  expect(answered((request) => new GuestResponse(String(request.body))).text).toBe("null");
  const posted = { method: "post", body: "a body" };
  expect(answered(() => new GuestResponse("unread"), posted).asked).toEqual([]);
  const moved = answered((request) => {
    const { hasBody } = request as unknown as GuestResponse;
    return new GuestResponse(`${hasBody} ${request.bodyUsed}`);
  }, posted);
  expect(moved).toMatchObject({ text: "true false", asked: ["method"] });
});

test("what an answer says of its headers and its status is what leaves", () => {
  const json = answered(() => GuestResponse.json({ a: 1 }, { status: 201, headers: { "x-a": "1" } }));
  expect(json.fields).toEqual(["content-type: application/json", "x-a: 1"]);
  expect(json.status).toBe(201);
  const later = answered(() => {
    const response = new GuestResponse("x");
    response.headers.set("x-later", "2");
    return response;
  });
  expect(later.fields).toEqual(["content-type: text/plain;charset=UTF-8", "x-later: 2"]);
  expect(answered(() => new GuestResponse(new Uint8Array([104, 105])))).toMatchObject({ fields: [], text: "hi" });
});

test("what is no answer is refused", () => {
  for (const given of [undefined, "text", {}, Promise])
    expect(() => answered(() => given)).toThrow("must return a Response");
});
