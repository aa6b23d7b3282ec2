import { describe, expect, test } from "vitest";
import { type FunctionModule, functionOf } from "./function.ts";
import { RequestSockets } from "./service-sockets.ts";
import type { WebSocketHandler } from "./web-socket.ts";

const call = (
  event: string,
  options: { readonly body?: string | Uint8Array<ArrayBuffer>; readonly headers?: object } = {},
): Request =>
  new Request("http://chat.example/room", {
    method: event === "open" ? "GET" : "POST",
    headers: { "x-shallop-websocket": event, "x-shallop-websocket-id": "c1", ...options.headers },
    ...(options.body === undefined ? {} : { body: options.body }),
  });

const said = async (websocket: WebSocketHandler, request: Request): Promise<unknown[]> => {
  const answer = await ask(functionOf({ fetch: () => new Response("plain"), websocket }), request);
  expect(answer.headers.get("content-type")).toBe("application/vnd.shallop.websocket");
  const text = await answer.text();
  return text
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
};

const ask = async (fn: FunctionModule, request: Request): Promise<Response> =>
  fn.fetch(request, new RequestSockets(request));

const nothing = (): void => undefined;

describe("a function's websocket", () => {
  test("answers what a gateway calls, and fetch answers all else", async () => {
    const fn = functionOf({ fetch: () => new Response("plain"), websocket: { message: nothing } });
    expect(await (await ask(fn, new Request("http://chat.example/"))).text()).toBe("plain");
    expect(() => functionOf({ fetch: nothing, websocket: {} })).toThrow("message(ws, data)");
  });

  test("agrees with a subprotocol, data and what it says; or refuses with a response", async () => {
    const open = (ws: Parameters<NonNullable<WebSocketHandler["open"]>>[0]): string => {
      ws.data = { name: "Zoë" };
      ws.subscribe("all");
      return "b";
    };
    expect(await said({ message: nothing, open }, call("open"))).toEqual([
      { accept: { events: ["message"], protocol: "b" } },
      { subscribe: "all" },
      { state: { name: "Zoë" } },
    ]);
    const refusing = functionOf({
      fetch: nothing,
      websocket: { message: nothing, open: () => new Response("no", { status: 403 }) },
    });
    expect((await ask(refusing, call("open"))).status).toBe(403);
  });

  test("hears text and bytes, and says all that there is to say", async () => {
    const heard: unknown[] = [];
    const message: WebSocketHandler["message"] = (ws, data) => {
      heard.push(data, ws.data, ws.id);
      ws.send("text");
      ws.send(new Uint8Array([0, 1, 255]).subarray(1));
      ws.sendTo("c2", "you");
      ws.publish("all", new Uint8Array([7]).buffer);
      ws.unsubscribe("all");
      ws.close(4000, "done");
    };
    const headers = { "content-type": "text/plain; charset=utf-8", "x-shallop-websocket-state": '{"n":1}' };
    expect(await said({ message }, call("message", { body: "hi", headers }))).toEqual([
      { send: "text" },
      { send: { base64: "Af8=" } },
      { send: "you", to: "c2" },
      { send: { base64: "Bw==" }, topic: "all" },
      { unsubscribe: "all" },
      { close: 4000, reason: "done" },
    ]);
    await said(
      { message },
      call("message", { body: new Uint8Array([9]), headers: { "content-type": "application/octet-stream" } }),
    );
    expect(heard).toEqual(["hi", { n: 1 }, "c1", new Uint8Array([9]), undefined, "c1"]);
  });

  test("what is said while it waits leaves at once", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const message: WebSocketHandler["message"] = async (ws) => {
      ws.send("first");
      await promise;
      ws.send("second");
      ws.data = 5;
    };
    const answer = await ask(functionOf({ fetch: nothing, websocket: { message } }), call("message", { body: "" }));
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('{"send":"first"}\n');
    resolve();
    expect((await reader.read()).value).toBe('{"send":"second"}\n');
    expect((await reader.read()).value).toBe('{"state":5}\n');
    expect((await reader.read()).done).toBe(true);
  });

  test("a failure is one, before and after it has begun to answer", async () => {
    const failing = { fetch: nothing, websocket: { message: () => Promise.reject(new Error("on purpose")) } };
    await expect(ask(functionOf(failing), call("message", { body: "" }))).rejects.toThrow("on purpose");
    const late: WebSocketHandler["message"] = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      throw new Error("late");
    };
    const answer = await ask(
      functionOf({ fetch: nothing, websocket: { message: late } }),
      call("message", { body: "" }),
    );
    await expect(answer.text()).rejects.toThrow("late");
  });

  test("hears of a close, with its code and reason", async () => {
    const heard: unknown[] = [];
    const close: WebSocketHandler["close"] = (_ws, code, reason) => void heard.push(code, reason);
    expect(
      await said(
        { message: nothing, close },
        call("close", { body: "bye", headers: { "x-shallop-websocket-code": "4001" } }),
      ),
    ).toEqual([]);
    expect(heard).toEqual([4001, "bye"]);
  });
});
