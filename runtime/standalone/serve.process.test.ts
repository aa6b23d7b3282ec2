import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { guestComponent, trappingComponent, unstoppableComponent } from "../host/testing/components.ts";
import { counterComponent, toolComponent, toolModule, writeProgram } from "./testing/programs.ts";
import { type Outcome, shallop, startShallop } from "./testing/shallop.ts";

let directory: string;
let guest: string;
let counter: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-serve-"));
  guest = (await guestComponent()).path;
  counter = await writeProgram(directory, "counter.wasm", await counterComponent());
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

class Served {
  readonly child: ChildProcess;
  readonly url: string;
  readonly output: () => string;

  constructor(child: ChildProcess, url: string, output: () => string) {
    this.child = child;
    this.url = url;
    this.output = output;
  }

  async get(
    path: string,
    method = "GET",
  ): Promise<{ readonly status: number; readonly text: string; readonly id: string | null }> {
    const answer = await fetch(`${this.url}${path}`, { method });
    return { status: answer.status, text: await answer.text(), id: answer.headers.get("x-request-id") };
  }

  /** Until its output has `text`. */
  async says(text: string | RegExp): Promise<void> {
    while (typeof text === "string" ? !this.output().includes(text) : !text.test(this.output()))
      await Promise.race([once(this.child.stderr!, "data"), once(this.child.stdout!, "data")]);
  }
}

async function serve(file: string, ...args: readonly string[]): Promise<Served> {
  const child = startShallop(["serve", file, "--addr", "127.0.0.1:0", ...args]);
  running.add(child);
  let output = "";
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
      const said = /answers at (http:\S+)\n/.exec(output);
      if (said?.[1] !== undefined) resolve(said[1]);
    });
    child.once("close", () => reject(new Error(output)));
  });
  return new Served(child, url, () => output);
}

async function processesBelow(pid: number): Promise<readonly number[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").map(Number);
  const below = await Promise.all(children.filter((child) => child > 0).map(processesBelow));
  return [pid, ...below.flat()];
}

describe("shallop serve", () => {
  test("answers, and ends in order", async () => {
    const served = await serve(guest);
    expect(await served.get("/hello")).toMatchObject({ status: 200, text: "hello\n" });
    served.child.kill("SIGINT");
    expect(await once(served.child, "close")).toEqual([0, null]);
  });

  test("runs the guest in a process that has no network and whose system calls are closed", async () => {
    const served = await serve(guest);
    const { pid } = served.child;
    const inner = await processesBelow(pid ?? 0);
    const states = await Promise.all(
      inner.map(async (each) => ({
        isClosed: /^Seccomp:\s2$/m.test(await readFile(`/proc/${each}/status`, "utf8")),
        isApart: (await readlink(`/proc/${each}/ns/net`)) !== (await readlink("/proc/self/ns/net")),
      })),
    );
    expect(states).toContainEqual({ isClosed: true, isApart: true });
    expect(served.output()).not.toContain("less isolation");
    expect((await served.get("/hello")).status).toBe(200);
  });

  test("finishes what runs when it is told to stop", async () => {
    const served = await serve(guest);
    const answer = await fetch(`${served.url}/ticks`);
    served.child.kill("SIGTERM");
    expect(await answer.text()).toBe("tick 0\ntick 1\ntick 2\n");
    expect(await once(served.child, "close")).toEqual([0, null]);
  });

  test("hands on the request's head, and the environment that is named", async () => {
    const served = await serve(guest, "--env", "COLOUR=blue");
    const { text } = await served.get("/head?a=b");
    const { host } = new URL(served.url);
    expect(text.split("\n")[0]).toBe(`get /head?a=b ${host}`);
    expect(text).not.toMatch(/^(host|connection):/m);
    expect(JSON.parse((await served.get("/env")).text)).toEqual([["COLOUR", "blue"]]);
  });

  test("an answer that is complete at once says its length; one without a body says none", async () => {
    const served = await serve(guest);
    const lengthOf = async (method: string, path: string): Promise<string | null> =>
      (await fetch(`${served.url}${path}`, { method })).headers.get("content-length");
    expect(await lengthOf("GET", "/hello")).toBe("6");
    expect(await lengthOf("HEAD", "/hello")).toBeNull();
    expect(await lengthOf("GET", "/status")).toBeNull();
    expect(await lengthOf("GET", "/ticks")).toBeNull();
  });

  test("streams both ways: an answer begins before its request has ended", async () => {
    const served = await serve(guest);
    const outgoing = request(`${served.url}/echo`, { method: "POST" });
    outgoing.write("first");
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    const [first] = (await once(incoming, "data")) as [Buffer];
    expect(first.toString()).toBe("first");
    outgoing.end(" and last");
    expect(String(Buffer.concat(await incoming.toArray()))).toBe(" and last");
  });

  test("carries 10 MB both ways", async () => {
    const served = await serve(guest);
    const body = Buffer.alloc(10 * 1024 * 1024, "0123456789");
    const answer = await fetch(`${served.url}/echo`, { method: "POST", body });
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
  });

  test("stops a client that sends faster than the guest reads", async () => {
    const served = await serve(guest);
    const outgoing = request(`${served.url}/sleep`, { method: "POST" });
    outgoing.on("error", () => undefined);
    const chunk = Buffer.alloc(1024 * 1024);
    let sent = 0;
    // Whatever sockets hold, they do not hold 256 MB.
    while (sent < 256 && outgoing.write(chunk)) sent++;
    expect(sent).toBeLessThan(256);
    outgoing.destroy();
    expect((await served.get("/hello")).status).toBe(200);
  });

  test("drops the guest of a client that leaves", async () => {
    // An instance that is not dropped would keep its place, and its time.
    const served = await serve(guest, "--timeout", "2s");
    for (let round = 0; round < 20; round++) {
      const outgoing = request(`${served.url}/sleep`);
      outgoing.on("error", () => undefined);
      outgoing.end();
      await once(outgoing, "finish");
      outgoing.destroy();
    }
    expect((await served.get("/hello")).status).toBe(200);
    served.child.kill("SIGINT");
    // Nothing runs any more, so that nothing is waited for.
    expect(await once(served.child, "close")).toEqual([0, null]);
    expect(served.output()).not.toContain("no answer within");
  });

  test("answers 100 requests at once", async () => {
    const served = await serve(guest);
    const agent = new Agent({ maxSockets: 100 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => served.get("/ticks")));
    agent.destroy();
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(["tick 0\ntick 1\ntick 2\n"]));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(100);
  });

  test.each([
    { reuse: "1", statuses: [201, 201, 201, 201, 201] },
    { reuse: "3", statuses: [201, 202, 203, 201, 202] },
  ])("--reuse $reuse: an instance serves as many requests", async ({ reuse, statuses }) => {
    const served = await serve(counter, "--reuse", reuse);
    const seen: number[] = [];
    for (const _ of statuses) seen.push((await served.get("/")).status);
    expect(seen).toEqual(statuses);
  });
});

describe("a guest that fails costs its request and no other", () => {
  test("502, 504 and 507 come with a request id, and the reason is said here", async () => {
    const served = await serve(guest, "--timeout", "1s", "--max-memory", "64M");
    const thrown = await served.get("/throw");
    expect(thrown).toMatchObject({
      status: 502,
      text: `GUEST_FAILED: The function failed.\nrequest id: ${thrown.id}\n`,
    });
    await served.says(`request ${thrown.id} failed`);
    expect((await served.get("/sleep")).status).toBe(504);
    expect((await served.get("/eat")).status).toBe(507);
    expect((await served.get("/hello")).status).toBe(200);
  });

  test("a trap is a 502", async () => {
    const served = await serve(await writeProgram(directory, "trap.wasm", await trappingComponent()));
    expect((await served.get("/")).status).toBe(502);
    expect((await served.get("/")).status).toBe(502);
  });

  test("one that nothing else stops ends its process, and the next one takes the socket", async () => {
    const served = await serve(
      await writeProgram(directory, "fills.wasm", await unstoppableComponent()),
      "--timeout",
      "300ms",
    );
    // One may be interrupted between two of its instructions, where the machine is quick enough. All are told why they get no answer:
    // whose guest it was, who has no guest yet, and who wants no body.
    const codes = { 504: /^GUEST_TIMEOUT: /, 502: /^CONNECTION_LOST: / };
    do {
      const [one, other, head] = await Promise.all([served.get("/"), served.get("/"), served.get("/", "HEAD")]);
      for (const { status, text } of [one, other]) expect(text).toMatch(codes[status as keyof typeof codes]);
      expect(head).toEqual({
        status: expect.toSatisfy((status: number) => status in codes),
        text: "",
        id: expect.any(String),
      });
    } while (!served.output().includes("the process that serves is killed"));
    await served.says("started again");
    // The next one has taken the socket: it is asked to stop while a guest is stuck in it.
    const stuckAgain = served.says(/does not give its thread back[^]*does not give its thread back/).then(() => true);
    const over = (): boolean => false;
    while (!(await Promise.race([served.get("/").then(over, over), stuckAgain])));
    served.child.kill("SIGTERM");
    expect(await once(served.child, "exit")).toEqual([0, null]);
  });

  test("one that spins is ended, and connections that are open stay so", async () => {
    const served = await serve(guest, "--timeout", "500ms");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    const hello = async (): Promise<number | undefined> => {
      const outgoing = request(`${served.url}/hello`, { agent }).end();
      const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
      sockets.add(incoming.socket);
      await incoming.toArray();
      return incoming.statusCode;
    };
    expect(await hello()).toBe(200);
    for (let round = 0; round < 3; round++) {
      expect((await served.get("/spin")).status).toBe(504);
      expect(await hello()).toBe(200);
    }
    agent.destroy();
    expect(sockets.size).toBe(1);
    expect(served.output()).not.toContain("replaced");
  });
});

describe("what a guest reaches", () => {
  test.each([
    { allowed: "", answer: /^error destination-IP-prohibited$/ },
    { allowed: "127.0.0.1", answer: /^200 from outside$/ },
    { allowed: "127.0.0.1:PORT", answer: /^200 from outside$/ },
    { allowed: "127.0.0.1:1", answer: /^error destination-IP-prohibited$/ },
    { allowed: "127.0.0.2", answer: /^error destination-IP-prohibited$/ },
  ])("--allow-host $allowed", async ({ allowed, answer }) => {
    const outside = createServer((_, response) => response.end("from outside"));
    await once(outside.listen(0, "127.0.0.1"), "listening");
    const { port } = outside.address() as AddressInfo;
    const flags = allowed === "" ? [] : ["--allow-host", allowed.replace("PORT", String(port))];
    const served = await serve(guest, ...flags);
    expect((await served.get(`/fetch?127.0.0.1:${port}`)).text).toMatch(answer);
    outside.closeAllConnections();
    outside.close();
  });
});

describe("what cannot be served is told in a sentence", () => {
  const attempt = (...args: readonly string[]): Promise<Outcome> => shallop(["serve", ...args], { cwd: directory });

  test("an address that is in use", async () => {
    const served = await serve(counter);
    const { code, stderr } = await attempt(counter, "--addr", new URL(served.url).host);
    expect({ code, lines: stderr.trim().split("\n").length }).toEqual({ code: 1, lines: 1 });
    expect(stderr).toContain("--addr");
  });

  test.each([
    { file: "text.wasm", code: 1, says: "no WebAssembly" },
    { file: "command.wasm", code: 1, says: "does not export wasi:http/incoming-handler" },
    { file: "module.wasm", code: 1, says: "shallop run" },
  ])("$file", async ({ file, code, says }) => {
    await writeFile(join(directory, "text.wasm"), "no WebAssembly");
    await writeProgram(directory, "command.wasm", await toolComponent());
    await writeProgram(directory, "module.wasm", await toolModule());
    const outcome = await attempt(file);
    expect(outcome.stderr).toContain(says);
    expect(outcome.code).toBe(code);
  });

  test.each([
    { args: ["--addr", "nonsense"] },
    { args: ["--addr", "127.0.0.1:99999"] },
    { args: ["--reuse", "0"] },
    { args: ["--timeout", "0s"] },
    { args: ["--allow-host", "a b"] },
  ])("$args is wrong usage", async ({ args }) => {
    expect(await attempt(counter, ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(args[0]!) });
  });
});
