import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { never, RuntimeFixture } from "../../runtime/host/testing/runtime-fixture.ts";
import type { Answer, WireClient } from "../../runtime/host/testing/wire-client.ts";
import type { PodLogLine, RunningPod } from "../../runtime/pod/pod-runtime.ts";
import type { WasmRuntime } from "../../runtime/host/wasm-runtime.ts";
import { keptBuildCache } from "../../sdk/internal/testing/index.ts";
import { buildComponent, type EngineName, engineNames } from "../../sdk/build/index.ts";

// What a function was promised (sdk/guest/README.md), asked of the built component in the real runtime.

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const template = (name: string): string => here(`../../sdk/build/templates/${name}/src/index.ts`);

let fixture: RuntimeFixture;
let runtime: WasmRuntime;

beforeAll(async () => {
  fixture = await RuntimeFixture.open();
  runtime = await fixture.runtime();
});
afterAll(() => fixture[Symbol.asyncDispose]());

interface Started {
  readonly pod: RunningPod;
  readonly client: WireClient;
}

async function start(path: string, engine: EngineName): Promise<Started> {
  const { bytes } = await buildComponent(path, engine, keptBuildCache);
  const image = await fixture.imageOf(bytes);
  const launch = fixture.launch(image, "default", { memoryBytes: 256 * 1024 * 1024 });
  const pod = await runtime.start(launch, never);
  return { pod, client: await fixture.connect(pod) };
}

const bodyOf = (answer: Answer): string => answer.body.toString();
const jsonOf = (answer: Answer): unknown => JSON.parse(bodyOf(answer));
const linesOf = (pod: RunningPod): readonly PodLogLine[] => fixture.lines.get(pod.uid) ?? [];

async function post(
  client: WireClient,
  target: string,
  body: string | Uint8Array,
  headers: readonly string[] = [],
): Promise<Answer> {
  const { stream, answer } = client.send(target, { method: "POST", headers: [...headers] });
  stream.write(Buffer.from(body));
  stream.end();
  return answer;
}

/** Of a streamed answer: its pieces, and when each came. */
async function pieces(
  client: WireClient,
  target: string,
): Promise<{ readonly text: string; readonly timesMs: readonly number[] }> {
  const timesMs: number[] = [];
  let text = "";
  const { stream, answer } = client.send(target, {}, (chunk, sent) => {
    timesMs.push(performance.now());
    text += chunk.toString();
    sent.consumed(chunk.length);
  });
  stream.end();
  await answer;
  return { text, timesMs };
}

/**
 * The whole of a body whose first and last piece come this far apart. On a busy machine pieces may be read late and together:
 * of some tries one shows it, unless the guest or its host gathers them.
 */
async function streamed(client: WireClient, path: string, apartMs: number): Promise<string> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { text, timesMs } = await pieces(client, path);
    if ((timesMs.at(-1) ?? 0) - (timesMs[0] ?? 0) > apartMs) return text;
  }
  throw new Error(`${path} never came in pieces`);
}

describe.each(engineNames)("a function in %s", (engine) => {
  let pod: RunningPod;
  let client: WireClient;

  beforeAll(async () => {
    ({ pod, client } = await start(here("function.fixture.ts"), engine));
  });
  afterAll(() => client[Symbol.dispose]());

  test("says hello", async () => {
    const answer = await client.get("/hello");
    expect([answer.head.status, bodyOf(answer)]).toEqual([200, "hello\n"]);
    expect(answer.head.headers).toContain("text/plain;charset=UTF-8");
  });

  test("sees the query, the method, the URL and the headers", async () => {
    expect(jsonOf(await client.get("/query?a=1&b=%C3%BC+x"))).toEqual({ a: "1", b: "ü x" });
    const head = jsonOf(await client.get("/head", { method: "PATCH", headers: ["X-One", "1", "x-one", "2"] }));
    expect(head).toEqual(["PATCH", "http://hello.test/head", ["x-one", "1, 2"]]);
  });

  test("reads JSON, text, and a body twice through a clone", async () => {
    const answer = await post(client, "/json", '{"numbers":[1,2,39]}');
    expect([answer.head.status, jsonOf(answer)]).toEqual([201, { sum: 42 }]);
    expect(bodyOf(await post(client, "/text", "héllo"))).toBe("héllo|héllo");
  });

  test("clones responses: both can be read, and the first still sent", async () => {
    expect(bodyOf(await client.get("/response-clone"))).toBe("hello, twice|hello, twice|true");
    const answer = await client.get("/response-clone?send");
    expect([answer.head.status, bodyOf(answer)]).toEqual([203, "hello, twice"]);
    expect(answer.head.headers).toContain("kept");
  });

  test("digests and signs as others do", async () => {
    const digest = createHash("sha512").update("abc").digest();
    const signature = createHmac("sha256", "abc").update("abc").digest();
    expect(jsonOf(await client.get("/subtle"))).toEqual([[...digest], [...signature], true, false, true]);
  });

  test("echoes a body as it comes, before it is over", async () => {
    const chunk = Buffer.alloc(64 * 1024, 7);
    let received = 0;
    const { stream, answer } = client.send(
      "/echo",
      { method: "POST", headers: ["content-type", "a/b"] },
      (data, sent) => {
        received += data.length;
        sent.consumed(data.length);
      },
    );
    stream.write(chunk);
    await fixture.until(() => received === chunk.length);
    for (let count = 0; count < 15; count++) stream.write(chunk);
    stream.end();
    expect((await answer).head.headers).toContain("a/b");
    expect(received).toBe(16 * chunk.length);
  });

  test("has timers that keep their order", async () => {
    expect(jsonOf(await client.get("/timers"))).toEqual(["microtask", "10", "250", "3 ticks"]);
  });

  test("streams its answer in time", async () => {
    expect(await streamed(client, "/stream", 90)).toBe("one\ntwo\nthree\n");
  });

  test("reads an uploaded file of a form", async () => {
    const form = new FormData();
    form.append("note", "a\nb");
    form.append(
      "file",
      new File([new Uint8Array(300_000).fill(10), Uint8Array.of(255)], "ü.bin", { type: "image/png" }),
    );
    const sent = new Response(form);
    const type = sent.headers.get("content-type") ?? "";
    const answer = jsonOf(await post(client, "/form", await sent.bytes(), ["content-type", type]));
    const file = { name: "ü.bin", type: "image/png", size: 300_001, last: 255 };
    expect(answer).toEqual({ note: "a\r\nb", ...file });
  });

  test("is refused the loopback by fetch, with a TypeError", async () => {
    const [isTypeError, text] = jsonOf(await client.get("/loopback")) as [boolean, string];
    expect([isTypeError, text]).toEqual([true, expect.stringContaining("TypeError")]);
  });

  test("has chance of its own in each request", async () => {
    const seen = new Set<unknown>();
    for (let count = 0; count < 4; count++)
      for (const value of jsonOf(await client.get("/random")) as unknown[]) seen.add(value);
    expect(seen.size).toBe(12);
  });

  test("has the time of now", async () => {
    const [wallMs] = jsonOf(await client.get("/time")) as [number];
    expect(Math.abs(wallMs - Date.now())).toBeLessThan(60_000);
  });

  test("is a fresh instance for each request", async () => {
    expect([jsonOf(await client.get("/served")), jsonOf(await client.get("/served"))]).toEqual([1, 1]);
  });

  test("aborts in time, clones structures, pipes streams", async () => {
    expect(jsonOf(await client.get("/aborted"))).toBe("TimeoutError");
    expect(jsonOf(await client.get("/clone"))).toEqual({ a: [1, { b: 2 }] });
    expect(bodyOf(await client.get("/pipe"))).toBe("PIPED");
  });

  test("answers without a body, and with several cookies", async () => {
    expect((await client.get("/empty")).head.status).toBe(204);
    const { headers } = (await client.get("/cookies")).head;
    expect(headers.filter((_, index) => headers[index - 1] === "set-cookie")).toEqual(["a=1", "b=2"]);
  });

  test("prints to the log, each stream by its name", async () => {
    await client.get("/console");
    await fixture.until(() => linesOf(pod).some(({ text }) => text.startsWith("to stderr")));
    const line = (start: string): PodLogLine | undefined => linesOf(pod).find(({ text }) => text.includes(start));
    expect(line("to stdout")?.stream).toBe("stdout");
    expect(line("to stderr")).toMatchObject({ stream: "stderr", text: "to stderr on purpose" });
  });

  test("whose stream breaks is cut off, and the next request is answered", async () => {
    await expect(client.get("/broken-stream")).rejects.toMatchObject({ code: "GUEST_FAILED" });
    expect((await client.get("/hello")).head.status).toBe(200);
  });

  test.each([
    { path: "/none", log: "Response" },
    { path: "/throw", log: "thrown on purpose" },
    { path: "/reject", log: "rejected on purpose" },
  ])(
    "that fails at $path is GUEST_FAILED, says why in the log, and the next request is answered",
    async ({ path, log }) => {
      await expect(client.get(path)).rejects.toMatchObject({ code: "GUEST_FAILED" });
      await fixture.until(() => fixture.logText(pod.uid).includes(log));
      expect((await client.get("/hello")).head.status).toBe(200);
    },
  );
});

describe("QuickJS alone", () => {
  let pod: RunningPod;
  let client: WireClient;

  beforeAll(async () => {
    ({ pod, client } = await start(here("function.fixture.ts"), "quickjs"));
  });
  afterAll(() => client[Symbol.dispose]());

  test("has process.env, which is the pod's", async () => {
    expect(jsonOf(await client.get("/env"))).toEqual(["guest", null, ["K_SERVICE"]]);
  });

  test("prints what nobody catches, and goes on", async () => {
    expect(bodyOf(await client.get("/unhandled"))).toBe("went on");
    expect(bodyOf(await client.get("/uncaught"))).toBe("went on");
    await fixture.until(() => fixture.logText(pod.uid).includes("thrown in a timer"));
    expect(fixture.logText(pod.uid)).toContain("unhandled rejection: Error: nobody catches this");
    expect(linesOf(pod).find(({ text }) => text.includes("nobody catches"))?.stream).toBe("stderr");
  });

  test("prints objects as Node does", async () => {
    await client.get("/console");
    await fixture.until(() => fixture.logText(pod.uid).includes("to stdout { a: [ 1, 'two' ] }"));
  });

  test("drops headers of the connection", async () => {
    expect((await client.get("/connection")).head.headers).toEqual([
      "content-type",
      "text/plain;charset=UTF-8",
      "x-kept",
      "yes",
    ]);
  });
});

describe.each(engineNames)("a Hono application in %s", (engine) => {
  let pod: RunningPod;
  let client: WireClient;

  beforeAll(async () => {
    ({ pod, client } = await start(here("hono-app.fixture.ts"), engine));
  });
  afterAll(() => client[Symbol.dispose]());

  test("routes, with middleware around", async () => {
    const answer = await client.get("/");
    expect(bodyOf(answer)).toBe("hello from hono");
    expect(answer.head.headers).toContain("was here");
    expect(jsonOf(await client.get("/greet/ada"))).toEqual({ hello: "ada" });
    expect(bodyOf(await client.get("/outer/inner"))).toBe("<b>inner</b>");
    await fixture.until(() => fixture.logText(pod.uid).includes("GET /greet/ada"));
  });

  test("reads JSON and forms, and answers CORS", async () => {
    const answer = await post(client, "/api/items", '{"a":1}', [
      "content-type",
      "application/json",
      "origin",
      "https://a.test",
    ]);
    expect([answer.head.status, jsonOf(answer)]).toEqual([201, { got: { a: 1 } }]);
    expect(answer.head.headers).toContain("https://a.test");
    const form = await post(client, "/form", "field=x+y", ["content-type", "application/x-www-form-urlencoded"]);
    expect(bodyOf(form)).toBe("x y");
    const preflight = await client.get("/api/items", {
      method: "OPTIONS",
      headers: ["origin", "https://a.test", "access-control-request-method", "POST"],
    });
    expect(preflight.head.status).toBe(204);
  });

  test("streams text and events", async () => {
    expect(await streamed(client, "/count", 25)).toBe("1\n2\n3\n");
    expect((await pieces(client, "/events")).text).toBe("data: event a\nid: a\n\ndata: event b\nid: b\n\n");
  });

  test("handles its own errors", async () => {
    const answer = await client.get("/fail");
    expect([answer.head.status, bodyOf(answer)]).toEqual([500, "caught: hono failed on purpose"]);
    expect((await client.get("/nowhere")).head.status).toBe(404);
  });
});

test.each(["typescript", "hono"])("the template %s answers", async (name) => {
  const { client } = await start(template(name), "quickjs");
  const answer = await client.get("/");
  client[Symbol.dispose]();
  expect(answer.head.status).toBe(200);
  expect(bodyOf(answer)).toContain("hello");
});

test.each(["hello", "hono"])("the sample %s answers", async (name) => {
  const path = here(`../../samples/${name}/src/index.ts`);
  expect(await readFile(path, "utf8")).toContain("export default");
  const { client } = await start(path, "quickjs");
  const answer = await client.get("/");
  client[Symbol.dispose]();
  expect([answer.head.status, bodyOf(answer).startsWith("hello")]).toEqual([200, true]);
});

test("the sample starlingmonkey answers, compressed by the engine", async () => {
  const { client } = await start(here("../../samples/starlingmonkey/src/index.ts"), "starlingmonkey");
  const answer = await client.get("/?count=3000");
  client[Symbol.dispose]();
  const lines = gunzipSync(answer.body).toString().split("\n");
  expect([lines.length, lines[1], lines[2999]]).toEqual([3001, "2 is a prime", "3000 is composite"]);
});

// On QuickJS: test/e2e/routing.process.test.ts, through a gateway.
test("the sample hono-chat, on starlingmonkey, has its events by Hono's routes, and publishes", async () => {
  const { client } = await start(here("../../samples/hono-chat/src/index.ts"), "starlingmonkey");
  const call = (event: string): string[] => ["x-shallop-websocket", event, "x-shallop-websocket-id", "c1"];
  const opened = await client.get("/rooms/a", { headers: call("open") });
  expect(opened.head.headers).toContain("application/vnd.shallop.websocket");
  expect(bodyOf(opened)).toBe(
    '{"accept":{"events":["message","close"]}}\n{"subscribe":"a"}\n{"send":"welcome to a"}\n',
  );
  const text = ["content-type", "text/plain; charset=utf-8", "x-shallop-websocket-state", "1"];
  expect(bodyOf(await post(client, "/rooms/a", "hi", [...call("message"), ...text]))).toBe(
    '{"send":"hi","topic":"a"}\n{"send":"(2) hi"}\n{"state":2}\n',
  );
  expect(bodyOf(await post(client, "/rooms/a", "", call("close")))).toBe('{"send":"somebody has left","topic":"a"}\n');
  const line = '{"send":"by post","topic":"a"}\n';
  const posted = await post(client, "/rooms/a", "by post", ["x-shallop-websocket-heard", "1"]);
  expect([posted.head.status, bodyOf(posted)]).toEqual([200, line]);
  expect(posted.head.headers).toContain(`${line.length} 204`);
  client[Symbol.dispose]();
});

test.each(engineNames)("the sample chat, on %s, answers what a gateway calls for a WebSocket", async (engine) => {
  const { client } = await start(here("../../samples/chat/src/index.ts"), engine);
  const told = async (event: string, more: readonly string[], body = ""): Promise<readonly unknown[]> => {
    const headers = ["x-shallop-websocket", event, "x-shallop-websocket-id", "c1", ...more];
    const target = "/lobby?name=Zo%C3%AB";
    const answer = await (event === "open" ? client.get(target, { headers }) : post(client, target, body, headers));
    expect(answer.head.headers).toContain("application/vnd.shallop.websocket");
    const lines = bodyOf(answer).trim().split("\n");
    return lines.map((line) => JSON.parse(line) as unknown);
  };
  const person = { name: "Zoë", room: "/lobby", said: 0 };
  expect(await told("open", [])).toEqual([
    { accept: { events: ["message", "close"] } },
    { subscribe: "/lobby" },
    { send: "* Zoë is here", topic: "/lobby" },
    { send: "* welcome, Zoë" },
    { state: person },
  ]);
  const state = ["x-shallop-websocket-state", String.raw`{"name":"Zo\u00eb","room":"/lobby","said":0}`];
  expect(await told("message", [...state, "content-type", "text/plain; charset=utf-8"], "hällo")).toEqual([
    { send: "Zoë: hällo", topic: "/lobby" },
    { send: "(1) hällo" },
    { state: { ...person, said: 1 } },
  ]);
  expect(await told("message", [...state, "content-type", "application/octet-stream"], "bytes")).toEqual([
    { close: 1003, reason: "this chat takes text" },
  ]);
  expect(await told("close", [...state, "x-shallop-websocket-code", "1001"])).toEqual([
    { send: "* Zoë has left", topic: "/lobby" },
  ]);
  expect(bodyOf(await client.get("/"))).toMatch(/^Open a WebSocket/);
  client[Symbol.dispose]();
});
