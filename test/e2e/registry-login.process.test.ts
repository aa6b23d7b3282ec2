import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { digestOf } from "../../sdk/image/index.ts";
import { whoScript } from "../support/behaviours.ts";
import { freePorts, Platform } from "../support/platform.ts";
import { Workshop } from "../support/workshop.ts";

// The built-in registry with a login on its loopback port and a port for other machines: the platform's own parts go on
// as before, everybody else has to say who they are.

let platform: Platform;
let workshop: Workshop;
/** Of the port for other machines. */
let outer: number;
let password: string;

beforeAll(async () => {
  workshop = await Workshop.open();
  outer = (await freePorts()).gateway;
  platform = await Platform.start({
    args: ["--registry-auth", "token", "--registry-listen", `127.0.0.1:${outer}`, "--registry-quota", "1Gi"],
  });
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

/** Calls the port for other machines, trusting the platform's authority; with a name and password, or without. */
async function call(method: string, path: string, options: { login?: string; body?: string } = {}): Promise<number> {
  const ca = await readFile(join(platform.dataDirectory, "pki/ca.crt"));
  return new Promise((resolve, reject) => {
    const { login, body = "" } = options;
    const headers = login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString("base64")}` };
    const outgoing = request({ host: "127.0.0.1", port: outer, path, method, ca, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

test("the platform's own parts log in by themselves: build, push, deploy, call", async () => {
  await workshop.publish(platform, "guarded", { script: whoScript });
  await platform.run("deploy", "guarded", "--image", "guarded:1", "--env", "WHO=guarded");
  expect((await platform.ask("guarded.default")).body).toBe("guarded\n");
});

test("an image is the same by the name that other machines have for the registry", async () => {
  await platform.run("deploy", "named", "--image", `localhost:${outer}/guarded:1`, "--env", "WHO=named");
  expect((await platform.ask("named.default")).body).toBe("named\n");
});

test("who does not say who it is gets nowhere, on either port", async () => {
  expect((await fetch(`http://127.0.0.1:${platform.ports.registry}/v2/guarded/tags/list`)).status).toBe(401);
  expect(await call("GET", "/v2/guarded/tags/list")).toBe(401);
});

test("a user that was added may do what was said, and no more; one that was removed nothing", async () => {
  const added = await platform.run("registry", "user", "add", "ci", "--write", "team/*", "--read", "guarded");
  password = /password: (\S+)/.exec(added)?.[1] ?? "";
  const login = `ci:${password}`;
  const post = (name: string): string => `/v2/${name}/blobs/uploads/?digest=${digestOf("bytes")}`;
  expect(await call("POST", post("team/app"), { login, body: "bytes" })).toBe(201);
  expect(await call("POST", post("guarded"), { login, body: "bytes" })).toBe(403);
  expect(await call("GET", "/v2/guarded/tags/list", { login })).toBe(200);
  const listed = JSON.parse(await platform.run("registry", "user", "list", "-o", "json")) as unknown;
  expect(listed).toEqual([{ name: "ci", read: ["guarded"], write: ["team/*"] }]);
  await platform.run("registry", "user", "remove", "ci");
  expect(await call("GET", "/v2/guarded/tags/list", { login })).toBe(401);
  expect((await platform.shallop("registry", "user", "remove", "ci")).stderr).toMatch(/no user ci.*NOT_FOUND/);
});

test("a user who could do nothing, or with patterns that name nothing, is not added", async () => {
  expect((await platform.shallop("registry", "user", "add", "idle")).stderr).toMatch(/could do nothing.*USAGE/);
  const wrong = await platform.shallop("registry", "user", "add", "ci", "--read", "Team/**");
  expect(wrong.stderr).toMatch(/names no repositories.*CREDENTIALS_INVALID/);
});
