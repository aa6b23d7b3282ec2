import { Hono } from "hono";
import { expect, test } from "vitest";
import { functionOf } from "./function.ts";
import { upgradeWebSocket } from "./hono.ts";
import { RequestSockets, type ServiceSockets } from "./service-sockets.ts";

const app = new Hono<{ Bindings: ServiceSockets }>();
const closed: unknown[] = [];
app.use("/rooms/*", async (context, next) => {
  if (context.req.header("authorization") === undefined) return context.text("who are you?", 401);
  await next();
  return undefined;
});
app.get(
  "/rooms/:room",
  upgradeWebSocket(
    (context) => ({
      onOpen: (_event, ws) => {
        ws.raw?.subscribe(context.req.param("room") ?? "");
        ws.send(`welcome to ${context.req.param("room")}`);
      },
      onMessage: async (event, ws) => {
        await Promise.resolve();
        const { data } = event as { readonly data: unknown };
        if (data instanceof ArrayBuffer) ws.send(new Uint8Array(data).slice(1));
        else if (data === "bye") ws.close(4000, "done");
        else ws.raw?.publish("lobby", `${ws.readyState} ${ws.protocol} ${String(data)}`);
      },
      onClose: (event, ws) => {
        const { code, reason, wasClean } = event as unknown as Record<string, unknown>;
        closed.push(code, reason, wasClean, ws.readyState);
      },
    }),
    { protocol: "chat.v1" },
  ),
  (context) => context.text("not a handshake"),
);
app.post("/rooms/:room", (context) => {
  context.env.publish(context.req.param("room"), "posted");
  return context.body(null, 204);
});

const fn = functionOf(app);

async function ask(method: string, headers: Record<string, string>, body?: string | Uint8Array<ArrayBuffer>) {
  const request = new Request("http://chat.example/rooms/lobby", {
    method,
    headers: { authorization: "me", ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const sockets = new RequestSockets(request);
  return sockets.answered(await fn.fetch(request, sockets));
}

const event = (name: string): Record<string, string> => ({
  "x-shallop-websocket": name,
  "x-shallop-websocket-id": "c1",
});

test("upgradeWebSocket: events come by the route of the handshake, and by its middleware", async () => {
  expect(await (await ask("GET", event("open"))).text()).toBe(
    '{"accept":{"events":["message","close"],"protocol":"chat.v1"}}\n{"subscribe":"lobby"}\n{"send":"welcome to lobby"}\n',
  );
  const text = { ...event("message"), "content-type": "text/plain; charset=utf-8" };
  expect(await (await ask("POST", text, "hi")).text()).toBe('{"send":"1 chat.v1 hi","topic":"lobby"}\n');
  expect(await (await ask("POST", text, "bye")).text()).toBe('{"close":4000,"reason":"done"}\n');
  const bytes = { ...event("message"), "content-type": "application/octet-stream" };
  expect(await (await ask("POST", bytes, new Uint8Array([1, 255]))).text()).toBe('{"send":{"base64":"/w=="}}\n');
  expect(await (await ask("POST", { ...event("close"), "x-shallop-websocket-code": "1006" }, "")).text()).toBe("");
  expect(closed).toEqual([1006, "", false, 3]);
  const stranger = new Request("http://chat.example/rooms/lobby", { headers: event("open") });
  expect((await fn.fetch(stranger, new RequestSockets(stranger))).status).toBe(401);
});

test("a request that is no handshake is the next handler's, and routes publish by their environment", async () => {
  expect(await (await ask("GET", {})).text()).toBe("not a handshake");
  const posted = await ask("POST", { "x-shallop-websocket-heard": "1" }, "");
  expect(posted.headers.get("x-shallop-websocket-said")).toMatch(/^[0-9]+ 204$/);
  expect(await posted.text()).toBe('{"send":"posted","topic":"lobby"}\n');
});
