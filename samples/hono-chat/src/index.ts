import type { ServiceSockets } from "@shallop/sdk/guest";
import { upgradeWebSocket } from "@shallop/sdk/guest/hono";
import { Hono } from "hono";

/** Rooms, in Hono's own words: the gateway holds the WebSockets, and the component is at zero while nobody speaks. */
const app = new Hono<{ Bindings: ServiceSockets }>();

app.get(
  "/rooms/:room",
  upgradeWebSocket((context) => {
    const room = context.req.param("room") ?? "";
    return {
      onOpen: (_event, ws) => {
        ws.raw?.subscribe(room);
        ws.send(`welcome to ${room}`);
      },
      onMessage: (event, ws) => {
        const count = Number(ws.raw?.data ?? 0) + 1;
        if (ws.raw !== undefined) ws.raw.data = count;
        ws.raw?.publish(room, String(event.data));
        ws.send(`(${count}) ${String(event.data)}`);
      },
      onClose: (_event, ws) => ws.raw?.publish(room, "somebody has left"),
    };
  }),
);

/** Whoever has no WebSocket says something to a room by an ordinary request. */
app.post("/rooms/:room", async (context) => {
  context.env.publish(context.req.param("room"), await context.req.text());
  return context.body(null, 204);
});

// Hono compiles its routes when the first request comes, and for a component each one is the first: here it is done once, when it is
// built. No route can be added after this.
app.router.match("GET", "/");

export default app;
