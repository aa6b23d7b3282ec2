import { Hono } from "hono";
import { cors } from "hono/cors";
import { logger } from "hono/logger";
import { streamSSE, streamText } from "hono/streaming";

// A Hono application as people write them: middleware, nested routes, streaming, errors, cookies.
const app = new Hono();

app.use(logger((line) => console.log(line)));
app.use("/api/*", cors({ origin: "https://a.test" }));
app.use(async (context, next) => {
  await next();
  context.header("x-middleware", "was here");
});

app.get("/", (context) => context.text("hello from hono"));
app.get("/greet/:name{[a-z]+}", (context) => context.json({ hello: context.req.param("name") }));
app.post("/api/items", async (context) => context.json({ got: await context.req.json() }, 201));
app.post("/form", async (context) => {
  const { field } = await context.req.parseBody();
  return context.text(typeof field === "string" ? field : "no field");
});
app.get("/count", (context) =>
  streamText(context, async (stream) => {
    for (const number of [1, 2, 3]) {
      await stream.writeln(String(number));
      await stream.sleep(20);
    }
  }),
);
app.get("/events", (context) =>
  streamSSE(context, async (stream) => {
    for (const id of ["a", "b"]) await stream.writeSSE({ id, data: `event ${id}` });
  }),
);
app.get("/fail", () => {
  throw new Error("hono failed on purpose");
});
app.onError((error, context) => context.text(`caught: ${error.message}`, 500));
app.notFound((context) => context.text("nothing here", 404));

const nested = new Hono().get("/inner", (context) => context.html("<b>inner</b>"));
app.route("/outer", nested);

export default app;
