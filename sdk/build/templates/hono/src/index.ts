import { Hono } from "hono";

const app = new Hono();
app.get("/", (context) => context.text("hello from hono"));
app.get("/hello/:name", (context) => context.json({ hello: context.req.param("name") }));

export default app;
