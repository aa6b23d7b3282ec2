import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@shallop/sdk/internal";
import { type ActivateRequest, type Activation, WireConnection } from "@shallop/sdk/wire";
import { expect, onTestFinished, test } from "vitest";
import { ActivateFault } from "./activation.ts";
import { ActivationSocket } from "./activation-socket.ts";

const activation: Activation = {
  podName: "hello-00001-abcde",
  podUid: "uid",
  endpoint: { protocol: "wire", socket: "/run/uid.sock" },
  started: true,
  phasesMs: { prepare: 0, start: 1 },
};

async function listening(activate: (request: ActivateRequest) => Promise<Activation>) {
  const folder = await mkdtemp(join(tmpdir(), "sh-activate-"));
  const path = join(folder, "activate.sock");
  const socket = new ActivationSocket({ log: silentLog, activate });
  await socket.listen(path);
  onTestFinished(async () => {
    await socket.close();
    await rm(folder, { recursive: true, force: true });
  });
  const near = connect(path);
  const connection = new WireConnection(near, { closed: () => undefined });
  onTestFinished(() => connection.destroy());
  const ask = (body: string, { method = "POST", target = "/v1/activate" } = {}) =>
    new Promise<{ status: number; body: unknown }>((resolve, reject) => {
      const head = {
        ...{ method, target, scheme: "http" as const, authority: "agent.local" },
        ...{ headers: [], requestId: "", timeoutMs: 0 },
      };
      let [status, text] = [0, ""];
      const stream = connection.request(head, {
        head: (answer) => (status = answer.status),
        data: (chunk) => {
          text += chunk.toString();
          stream.consumed(chunk.length);
        },
        end: () => resolve({ status, body: JSON.parse(text) as unknown }),
        failed: reject,
      });
      stream.write(Buffer.from(body));
      stream.end();
    });
  return { path, socket, ask };
}

test("activates what is asked for, several at once", async () => {
  const asked: ActivateRequest[] = [];
  const { path, ask } = await listening(async (request) => {
    asked.push(request);
    return activation;
  });
  const one = { namespace: "default", revision: "hello-00001" };
  const beside = { ...one, beside: ["hello-00001-abcde"] };
  const answers = await Promise.all([ask(JSON.stringify(one)), ask(JSON.stringify(beside))]);
  expect(answers).toEqual([
    { status: 200, body: activation },
    { status: 200, body: activation },
  ]);
  expect(asked).toEqual([one, beside]);
  expect((await stat(path)).mode & 0o777, "the owner's alone").toBe(0o600);
});

test("a refusal has the code and the reason that it has over HTTP", async () => {
  const { ask } = await listening(async () => {
    throw new ActivateFault("NO_CAPACITY", "the node is full");
  });
  expect(await ask('{"namespace":"default","revision":"a"}')).toEqual({
    status: 503,
    body: { code: "NO_CAPACITY", message: "the node is full" },
  });
});

const bad = [
  { name: "no JSON", body: "{", status: 400 },
  { name: "no revision", body: '{"namespace":"default"}', status: 400 },
  {
    name: "a body that is too long",
    body: JSON.stringify({ namespace: "n".repeat(10_000), revision: "r" }),
    status: 413,
  },
  { name: "another path", body: "{}", asked: { target: "/v1/pods" }, status: 404 },
  { name: "another method", body: "{}", asked: { method: "GET" }, status: 404 },
];
test.each(bad)("$name is $status, and the next question is answered", async ({ body, asked, status }) => {
  const { ask } = await listening(async () => activation);
  expect((await ask(body, asked)).status).toBe(status);
  expect((await ask('{"namespace":"default","revision":"a"}')).status).toBe(200);
});

test("an agent that stops ends the connections of who waits", async () => {
  const { socket, ask } = await listening(() => new Promise(() => undefined));
  const waiting = ask('{"namespace":"default","revision":"a"}');
  const lost = expect(waiting).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await socket.close();
  await lost;
});
