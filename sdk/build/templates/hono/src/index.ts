import { Hono } from "hono";

const app = new Hono();
app.get("/", (context) => context.text("hello from hono"));
app.get("/hello/:name", (context) => context.json({ hello: context.req.param("name") }));

// Hono compiles its routes when the first request comes, and for a component each one is the first: here it is done once, when it is
// built. No route can be added after this.
app.router.match("GET", "/");

export default app;
