// One function with a path for each promise that guest/README.md makes. Built with every engine by the tests beside it.

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Route = (request: Request, url: URL) => Response | Promise<Response>;

const routes: Readonly<Record<string, Route>> = {
  "/hello": () => new Response("hello\n"),
  "/query": (_, url) => Response.json(Object.fromEntries(url.searchParams)),
  "/head": (request) => Response.json([request.method, request.url, ...request.headers]),
  "/json": async (request) => {
    const body = (await request.json()) as { readonly numbers: readonly number[] };
    return Response.json({ sum: body.numbers.reduce((sum, number) => sum + number, 0) }, { status: 201 });
  },
  "/echo": (request) =>
    new Response(request.body, { headers: { "content-type": request.headers.get("content-type") ?? "" } }),
  "/timers": async () => {
    const order: string[] = [];
    const add = (name: string) => (): void => void order.push(name);
    // So far apart that a busy machine does not come between.
    const late = new Promise<void>((resolve) => {
      setTimeout(() => {
        order.push("250");
        resolve();
      }, 250);
    });
    setTimeout(add("10"), 10);
    clearTimeout(setTimeout(add("cleared"), 5));
    queueMicrotask(add("microtask"));
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const id = setInterval(() => {
        ticks += 1;
        if (ticks < 3) return;
        clearInterval(id);
        resolve();
      }, 20);
    });
    await late;
    return Response.json([...order, `${ticks} ticks`]);
  },
  "/stream": () => {
    const encoder = new TextEncoder();
    const parts = ["one\n", "two\n", "three\n"];
    const body = new ReadableStream({
      async pull(controller) {
        const part = parts.shift();
        if (part === undefined) return controller.close();
        if (part !== "one\n") await sleep(60);
        controller.enqueue(encoder.encode(part));
      },
    });
    return new Response(body);
  },
  "/form": async (request) => {
    const form = await request.formData();
    const file = form.get("file");
    if (file === null || typeof file === "string") return new Response("no file", { status: 400 });
    const bytes = new Uint8Array(await file.arrayBuffer());
    return Response.json({
      note: form.get("note"),
      name: file.name,
      type: file.type,
      size: bytes.length,
      last: bytes.at(-1),
    });
  },
  "/loopback": async () => {
    try {
      await fetch("http://127.0.0.1:1/");
      return new Response("let through");
    } catch (error) {
      return Response.json([error instanceof TypeError, String(error)]);
    }
  },
  "/random": () => {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    return Response.json([Math.random(), crypto.randomUUID(), bytes.join(".")]);
  },
  "/subtle": async () => {
    const text = new TextEncoder().encode("abc");
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", text, hmac, false, ["sign", "verify"]);
    const signature = await crypto.subtle.sign("HMAC", key, text);
    return Response.json([
      [...new Uint8Array(await crypto.subtle.digest("SHA-512", text))],
      [...new Uint8Array(signature)],
      await crypto.subtle.verify("HMAC", key, signature, text),
      await crypto.subtle.verify("HMAC", key, signature, new Uint8Array(3)),
      key instanceof CryptoKey,
    ]);
  },
  "/time": () => Response.json([Date.now(), performance.now()]),
  "/console": () => {
    console.log("to stdout", { a: [1, "two"] });
    console.error("to stderr", new RangeError("on purpose").message);
    return new Response();
  },
  "/unhandled": async () => {
    void Promise.reject(new Error("nobody catches this"));
    await sleep(5);
    return new Response("went on");
  },
  "/uncaught": async () => {
    setTimeout(() => {
      throw new Error("thrown in a timer");
    }, 1);
    await sleep(10);
    return new Response("went on");
  },
  "/aborted": async () => {
    const signal = AbortSignal.timeout(10);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return Response.json((signal.reason as Error).name);
  },
  "/response-clone": async (_, url) => {
    const first = new Response("hello, twice", { status: 203, headers: { "x-header": "kept" } });
    const second = first.clone();
    if (url.search !== "") {
      await second.text();
      return first;
    }
    return new Response(`${await second.text()}|${await first.text()}|${first.bodyUsed}`);
  },
  "/clone": () => Response.json(structuredClone({ a: [1, { b: 2 }] })),
  "/text": async (request) => {
    const [first, second] = [request.clone(), request];
    return new Response(`${await first.text()}|${new TextDecoder().decode(await second.arrayBuffer())}`);
  },
  "/pipe": () => {
    const upper = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => controller.enqueue(chunk.map((byte) => byte - 32)),
    });
    return new Response(new Response("piped").body?.pipeThrough(upper));
  },
  "/connection": () => new Response("ok", { headers: { connection: "close", "keep-alive": "5", "x-kept": "yes" } }),
  "/empty": () => new Response(null, { status: 204 }),
  "/cookies": () =>
    new Response("", {
      headers: [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
    }),
  "/none": () => undefined as unknown as Response,
  "/throw": () => {
    throw new RangeError("thrown on purpose");
  },
  "/reject": async () => {
    await sleep(1);
    throw new Error("rejected on purpose");
  },
  "/broken-stream": () =>
    new Response(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("begun"));
          await sleep(5);
          controller.error(new Error("broke in the middle"));
        },
      }),
    ),
};

let served = 0;

export default {
  fetch(request: Request): Response | Promise<Response> {
    const url = new URL(request.url);
    served += 1;
    if (url.pathname === "/served") return Response.json(served);
    if (url.pathname === "/env") {
      const { env } = (globalThis as unknown as { process: { env: Record<string, string | undefined> } }).process;
      return Response.json([env["K_SERVICE"], env["MISSING"] ?? null, Object.keys(env)]);
    }
    const route = routes[url.pathname];
    return route === undefined ? new Response("no such path", { status: 404 }) : route(request, url);
  },
};
