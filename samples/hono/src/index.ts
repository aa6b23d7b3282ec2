import { Hono } from "hono";
import { streamText } from "hono/streaming";

/** A Hono application, unchanged by where it runs: as a component inside V8, or natively on Node. */
const app = new Hono();

app.get("/", (context) => context.text("hello from hono\n"));

app.get("/greet/:name", (context) => context.json({ hello: context.req.param("name") }));

app.post("/echo", async (context) => context.body(await context.req.arrayBuffer()));

/** Work that takes time without taking the processor, so that load needs more than one pod. */
app.get("/slow/:ms", async (context) => {
  const delayMs = Math.min(Number(context.req.param("ms")) || 0, 10_000);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  return context.text(`waited ${delayMs} ms\n`);
});

app.get("/count/:to", (context) =>
  streamText(context, async (stream) => {
    for (let number = 1; number <= Number(context.req.param("to")); number++) {
      await stream.writeln(String(number));
      await stream.sleep(20);
    }
  }),
);

// Hono compiles its routes when the first request comes, and for a component each one is the first: here it is done once, when it is
// built. No route can be added after this.
app.router.match("GET", "/");

export default app;
