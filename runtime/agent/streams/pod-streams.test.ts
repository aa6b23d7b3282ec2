import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { silentLog } from "@shallop/sdk/internal";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { ContainerProcess, ExecRequest, TerminalSize } from "../../pod/container-process.ts";
import { PodFault } from "../../pod/pod-runtime.ts";
import { faultAnswer } from "../fault-status.ts";
import { commandStatus, parseTerminalSize } from "./command-streams.ts";
import { PodStreams } from "./pod-streams.ts";
import { runRemoteCommand } from "./remote-command.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A program that says back in capitals what it hears, and ends with 3 when it hears no more. */
class FakeProcess implements ContainerProcess {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: TerminalSize[] = [];
  left = false;
  readonly ended: Promise<number>;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.stdin.on("data", (chunk: Buffer) => this.stdout.write(String(chunk).toUpperCase()));
      this.stdin.on("end", () => {
        this.stderr.end("done");
        this.stdout.end();
        resolve(3);
      });
    });
  }

  async resize(size: TerminalSize): Promise<void> {
    this.sizes.push(size);
  }

  leave(): void {
    this.left = true;
  }
}

interface Served {
  readonly url: string;
  readonly requests: ExecRequest[];
  readonly process: FakeProcess;
}

async function serve(refusal?: Error): Promise<Served> {
  const process = new FakeProcess();
  const requests: ExecRequest[] = [];
  const pod = {
    key: "default/web",
    ports: undefined,
    expectContainer: () => undefined,
    attach: () => Promise.reject(new PodFault("UNSUPPORTED", "no")),
    exec: async (_: string, request: ExecRequest) => {
      requests.push(request);
      if (refusal !== undefined) throw refusal;
      return process;
    },
  };
  const pods = { get: (key: string) => (key === "default/web" ? pod : undefined) };
  // The parts of a pod that streams touch; everything else of the agent has no say here.
  const streams = new PodStreams({ pods, clock: new FakeClock(), log: silentLog });
  const server: Server = createServer();
  server.on("upgrade", (request, socket, first) => {
    streams.serve(request, { socket, first }).catch((error: unknown) => {
      const { status, body } = faultAnswer(error);
      socket.end(`HTTP/1.1 ${String(status)} Refused\r\nConnection: close\r\n\r\n${JSON.stringify(body)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close().closeAllConnections());
  return { url: `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}`, requests, process };
}

/** Everything that a server says, by channel, until it closes. */
function listen(webSocket: WebSocket): Promise<Readonly<Record<number, string>>> {
  const said: Record<number, string> = {};
  return new Promise((resolve, reject) => {
    webSocket.on("message", (message: Buffer) => {
      const channel = message[0] ?? -1;
      said[channel] = (said[channel] ?? "") + message.subarray(1).toString();
    });
    webSocket.once("close", () => resolve(said));
    webSocket.once("error", reject);
  });
}

const query = "command=tr&command=a+b&stdin=true&stdout=true&stderr=true";

test("exec over WebSocket v5: words, streams, the end of standard input, the exit code", async () => {
  const { url, requests, process } = await serve();
  const webSocket = new WebSocket(`${url}/exec/default/web/c?${query}`, ["v5.channel.k8s.io", "v4.channel.k8s.io"]);
  const said = listen(webSocket);
  await new Promise((resolve) => webSocket.once("open", resolve));
  webSocket.send(Buffer.from('\x04{"Width":80,"Height":24}\n'));
  webSocket.send(Buffer.from("\x00hello"));
  webSocket.send(Buffer.of(255, 0));
  const { 1: stdout, 2: stderr, 3: status } = await said;
  expect(webSocket.protocol).toBe("v5.channel.k8s.io");
  expect(requests).toEqual([{ command: ["tr", "a b"], terminal: false }]);
  expect([stdout, stderr]).toEqual(["HELLO", "done"]);
  expect(JSON.parse(status ?? "")).toEqual(commandStatus({ kind: "exited", exitCode: 3 }));
  expect(process.sizes).toEqual([{ columns: 80, rows: 24 }]);
});

test("a command that cannot be run is told in the error channel", async () => {
  const { url } = await serve(new PodFault("EXEC_FAILED", "no such file"));
  const webSocket = new WebSocket(`${url}/exec/default/web/c?${query}`, ["v4.channel.k8s.io"]);
  const { 3: status } = await listen(webSocket);
  expect(JSON.parse(status ?? "")).toMatchObject({ status: "Failure", message: "no such file" });
});

test("what failed is said before the streams go", async () => {
  const happened: string[] = [];
  const streams = {
    ...{ stdin: undefined, stdout: undefined, stderr: undefined, onResize: () => undefined },
    gone: new AbortController().signal,
    finish: async () => {
      await Promise.resolve();
      happened.push("said");
    },
    [Symbol.dispose]: () => void happened.push("gone"),
  };
  await runRemoteCommand(streams, () => Promise.reject(new PodFault("NOT_RUNNING", "no")));
  expect(happened).toEqual(["said", "gone"]);
});

test("why there is no command is heard by who has sent much by then", async () => {
  const { url } = await serve(new PodFault("NOT_RUNNING", 'container not found ("c")'));
  const webSocket = new WebSocket(`${url}/exec/default/web/c?${query}`, ["v5.channel.k8s.io"]);
  const said = listen(webSocket);
  await new Promise((opened) => void webSocket.once("open", opened));
  for (let sent = 0; sent < 64; sent++) webSocket.send(Buffer.alloc(1 << 16));
  const { 3: status = "" } = await said;
  expect(JSON.parse(status)).toMatchObject({ message: 'container not found ("c")' });
});

test("who leaves is known to have left", async () => {
  const { url, process, requests } = await serve();
  const webSocket = new WebSocket(`${url}/exec/default/web/c?${query}`, ["v5.channel.k8s.io"]);
  await new Promise((opened) => void webSocket.once("open", opened));
  await expect.poll(() => requests.length).toBe(1);
  webSocket.terminate();
  await expect.poll(() => process.left).toBe(true);
});

test.each([
  ["/exec/default/other/c?command=x&stdout=true", 404],
  ["/exec/default/web/c?stdout=true", 400],
  ["/exec/default/web/c?command=x", 400],
  ["/portForward/default/web", 400],
])("%s is refused with %i", async (path, status) => {
  const { url } = await serve();
  const webSocket = new WebSocket(url + path);
  const refused = await new Promise<number>((resolve) => {
    webSocket.once("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
    webSocket.once("error", () => undefined);
  });
  expect(refused).toBe(status);
});

test.each([
  ['{"Width":80,"Height":24}', { columns: 80, rows: 24 }],
  ['{"Width":0,"Height":0}', undefined],
  ['{"Width":70000,"Height":1}', undefined],
  ['{"Width":"1; reboot","Height":1}', undefined],
  ["[", undefined],
])("a terminal's size out of %s", (text, size) => {
  expect(parseTerminalSize(text)).toEqual(size);
});
