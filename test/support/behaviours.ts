/**
 * The function that the end-to-end tests call: one behaviour for each path, good and bad. Plain JavaScript, because it
 * is built by `shallop build` as a user's function would be.
 */
export const behavioursScript = `
let calls = 0;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const behaviours = {
  "/hello": () => new Response("hello\\n"),
  "/calls": () => new Response(String(++calls)),
  "/env": (request) => new Response(process.env[new URL(request.url).searchParams.get("name")] ?? "-"),
  "/headers": (request) => Response.json(Object.fromEntries(request.headers)),
  "/echo": (request) => new Response(request.body, { headers: { "content-type": "application/octet-stream" } }),
  "/length": async (request) => new Response(String((await request.arrayBuffer()).byteLength)),
  "/wait": async (request) => {
    const ms = Number(new URL(request.url).searchParams.get("ms"));
    await wait(ms);
    return new Response("waited " + ms + "\\n");
  },
  // For as long as there is more of the request.
  "/ticks": (request) => {
    const encoder = new TextEncoder();
    let tick = 0;
    let isOver = false;
    request.text().then(() => (isOver = true));
    return new Response(
      new ReadableStream({
        async pull(controller) {
          if (isOver) return controller.close();
          if (tick > 0) await wait(20);
          controller.enqueue(encoder.encode("tick " + tick++ + "\\n"));
        },
      }),
    );
  },
  "/log": () => {
    console.log("said on stdout");
    console.error("said on stderr");
    return new Response("logged\\n");
  },
  "/call": async (request) => {
    console.log("calls somebody");
    const answer = await fetch(new URL(request.url).searchParams.get("url"));
    return new Response(answer.body, { status: answer.status });
  },
  "/beat": async (request) => {
    const name = new URL(request.url).searchParams.get("name");
    for (let beat = 0; beat < 600; beat++) {
      console.log("beat " + name + " " + beat);
      await wait(50);
    }
    return new Response("done\\n");
  },
  "/throw": () => {
    throw new Error("thrown on purpose");
  },
  "/reject": async () => {
    await wait(5);
    throw new TypeError("rejected on purpose");
  },
  "/nothing": () => undefined,
  "/spin": () => {
    for (;;);
  },
  // What it has logged leaves its thread while it spins, since it is more than is gathered at most.
  "/log-and-spin": () => {
    console.log("about to spin");
    for (let line = 0; line < 100; line++) console.log("-".repeat(1000));
    for (;;);
  },
  "/never": () => new Promise(() => undefined),
  "/sleep": () => wait(3_600_000),
  "/eat": () => {
    const eaten = [];
    for (;;) eaten.push(new Uint8Array(1024 * 1024).fill(eaten.length));
  },
  "/recurse": () => {
    const deeper = (depth) => deeper(depth + 1) + 1;
    return new Response(String(deeper(0)));
  },
  "/flood": () => {
    const line = "flood ".repeat(10_000);
    for (let count = 0; count < 500; count++) console.log(line);
    return new Response("flooded\\n");
  },
};

export default {
  fetch(request) {
    const behaviour = behaviours[new URL(request.url).pathname];
    return behaviour === undefined ? new Response("hello, world\\n") : behaviour(request);
  },
};
`;

/** Says who it is; two revisions of it are told apart by their environment. */
export const whoScript = `
export default {
  fetch() {
    return new Response((process.env.WHO ?? "nobody") + "\\n");
  },
};
`;
