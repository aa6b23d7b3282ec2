import { expect, test } from "vitest";
import { functionOf } from "./function.ts";
import { RequestSockets, type ServiceSockets } from "./service-sockets.ts";

const request = (init: RequestInit = {}, isHeard = true): Request =>
  new Request("http://shop.example/", { ...init, headers: isHeard ? { "x-shallop-websocket-heard": "1" } : {} });

/** The answer of a function that says something, as a gateway reads it. */
async function told(given: Request, answer: (sockets: ServiceSockets) => Response): Promise<Response> {
  const sockets = new RequestSockets(given);
  return sockets.answered(
    await functionOf({ fetch: (_request: Request, all: ServiceSockets) => answer(all) }).fetch(given, sockets),
  );
}

const line = '{"send":"sold","topic":"news"}\n';

test("what fetch publishes stands before its answer, and the answer says how long it is", async () => {
  const answer = await told(request(), (sockets) => {
    sockets.publish("news", "sold");
    sockets.sendTo("c1", new Uint8Array([7]));
    return new Response("thanks", { status: 201, headers: { "content-length": "6", "x-own": "1" } });
  });
  const lines = `${line}{"send":{"base64":"Bw=="},"to":"c1"}\n`;
  expect([answer.status, answer.headers.get("x-own"), answer.headers.get("content-type")]).toEqual([
    201,
    "1",
    "text/plain;charset=UTF-8",
  ]);
  expect(answer.headers.get("x-shallop-websocket-said")).toBe(String(lines.length));
  expect(answer.headers.get("content-length")).toBe(String(lines.length + 6));
  expect(await answer.text()).toBe(`${lines}thanks`);
});

test("an answer that allows no body has its status said beside; one that streams goes on streaming", async () => {
  const empty = await told(request({ method: "POST" }), (sockets) => {
    sockets.publish("news", "sold");
    return new Response(null, { status: 204 });
  });
  expect([empty.status, empty.headers.get("x-shallop-websocket-said"), await empty.text()]).toEqual([
    200,
    `${line.length} 204`,
    line,
  ]);
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const streamed = await told(request(), (sockets) => {
    sockets.publish("news", "sold");
    return new Response(readable);
  });
  const reader = streamed.body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toBe(line);
  const writer = writable.getWriter();
  void writer.write(new TextEncoder().encode("later"));
  expect((await reader.read()).value).toBe("later");
  void writer.close();
  expect((await reader.read()).done).toBe(true);
});

test("nobody hears: a request that came by no gateway, and HEAD", async () => {
  for (const given of [request({}, false), request({ method: "HEAD" })]) {
    const answer = await told(given, (sockets) => {
      sockets.publish("news", "sold");
      return new Response("thanks");
    });
    expect([await answer.text(), answer.headers.get("x-shallop-websocket-said")]).toEqual(["thanks", null]);
  }
});

test("after the answer it is an error, not a loss that nobody notices", async () => {
  let kept: ServiceSockets | undefined;
  await told(request(), (sockets) => {
    kept = sockets;
    return new Response("thanks");
  });
  expect(() => kept?.publish("news", "late")).toThrow("fetch has answered");
});
