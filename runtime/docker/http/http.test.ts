import { mkdtemp, rm, stat } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { ok } from "./call.ts";
import { DockerFault } from "./docker-fault.ts";
import { faultBody, faultStatus } from "./fault-status.ts";
import { frame } from "./raw-frames.ts";
import { Router } from "./router.ts";
import { serveDocker } from "./server.ts";

test("paths with and without a version, names with slashes, methods that are not there", () => {
  const router = new Router();
  router.add({ "GET /images/json": () => ok(1), "GET /images/:name(.+)/json": () => ok(2) });
  expect(router.match("GET", "/v1.51/images/json")).toMatchObject({ params: {} });
  expect(router.match("GET", "/images/127.0.0.1:5000/a/b/json")).toMatchObject({
    params: { name: "127.0.0.1:5000/a/b" },
  });
  expect(router.match("GET", "/v1.24/images/a%2Fb:1/json")).toMatchObject({ params: { name: "a/b:1" } });
  expect(router.match("POST", "/images/json")).toBe("method");
  expect(router.match("GET", "/v1.51/nosuch")).toBeUndefined();
});

test("statuses of faults, and their words", () => {
  expect(faultStatus(new DockerFault("CONFLICT", "x"))).toBe(409);
  expect(faultStatus(new Error("x"))).toBe(500);
  expect(faultBody(new DockerFault("NOT_FOUND", "No such image: x:1", { cause: new Error("why") }))).toEqual({
    message: "No such image: x:1",
  });
});

test("a frame: kind, length, bytes", () => {
  expect([...frame("stderr", Buffer.from("hi"))]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 0x68, 0x69]);
});

test("over the socket: type of refusals, bounds of bodies, raw streams, an upgrade to what is not here", async () => {
  const directory = await mkdtemp(join(tmpdir(), "docker-http-"));
  const path = join(directory, "d.sock");
  const stop = new AbortController();
  const router = new Router();
  router.add({
    "POST /echo": async (call) => ok(await call.body()),
    "GET /filters": (call) => ok([...call.filters()]),
  });
  router.add(
    {
      "POST /exec/:id/start": async (call) => {
        const body = await call.body();
        const { input, output } = call.hijack("application/vnd.docker.raw-stream");
        output.write(JSON.stringify(body));
        for await (const chunk of input) output.write(String(chunk).toUpperCase());
      },
    },
    { hijacks: true },
  );
  const server = await serveDocker(path, { router, log: silentLog, signal: stop.signal });
  try {
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    expect(await ask(path, "GET", "/nosuch")).toMatchObject({ status: 404, type: "application/json" });
    expect(await ask(path, "POST", "/echo", "[1]")).toMatchObject({ status: 400 });
    expect(await ask(path, "POST", "/echo", `"${"x".repeat(5 << 20)}"`)).toMatchObject({ status: 400 });
    const filters = encodeURIComponent('{"label":{"a=b":true,"c":false},"name":["x"]}');
    expect(await ask(path, "GET", `/filters?filters=${filters}`)).toMatchObject({
      body: '[["label",["a=b"]],["name",["x"]]]\n',
    });
    expect(await ask(path, "GET", "/filters?filters=%5B")).toMatchObject({ status: 400 });
    expect(await raw(path, "/v1.51/exec/1/start", '{"Tty":true}', "said")).toBe('{"Tty":true}SAID');
    expect(await ask(path, "POST", "/grpc", { connection: "Upgrade", upgrade: "h2c" })).toMatchObject({
      status: 404,
    });
  } finally {
    stop.abort();
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  }
});

function ask(socketPath: string, method: string, path: string, sending: string | Record<string, string> = "") {
  const [body, headers] = typeof sending === "string" ? [sending, {}] : ["", sending];
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, agent: false, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.once("end", () =>
        resolve({ status: response.statusCode, type: response.headers["content-type"], body: text }),
      );
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

/** A hijacked connection as the command line makes one: the request with its body, then both directions. */
function raw(socketPath: string, path: string, body: string, input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { connection: "Upgrade", upgrade: "tcp", "content-length": String(body.length) };
    const sent = request({ socketPath, method: "POST", path, agent: false, headers });
    sent.once("upgrade", (_, socket, first) => {
      let text = first.toString();
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.once("end", () => resolve(text));
      socket.end(input);
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
