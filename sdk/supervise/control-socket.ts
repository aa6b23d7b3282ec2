import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createServer, connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { SuperviseFault } from "./supervise-fault.ts";

/** What `shallop status` and `shallop down` ask of a running `shallop up`. One JSON object each way, a line each. */
export type ControlRequest = { readonly command: "status" } | { readonly command: "down" };

/** A request is a few bytes; an answer names some processes. */
const messageBytesMax = 1024 * 1024;

/** Short, because the path of a unix socket has 107 bytes at most, and only for this user. */
export function controlSocketPath(dataDirectory: string): string {
  const key = createHash("sha256").update(dataDirectory).digest("hex").slice(0, 16);
  return join(tmpdir(), `shallop-up-${process.getuid?.() ?? userInfo().uid}`, `${key}.sock`);
}

/** Answers requests until disposed of. */
export async function serveControl(
  path: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<Disposable> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.length > messageBytesMax) socket.destroy();
      if (socket.destroyed || !text.includes("\n")) return;
      socket.pause();
      void Promise.resolve()
        .then(() => answer(JSON.parse(text) as ControlRequest))
        .then(
          (result) => socket.end(`${JSON.stringify(result)}\n`),
          () => socket.destroy(),
        );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return {
    [Symbol.dispose]: () => {
      server.close();
      rmSync(path, { force: true });
    },
  };
}

/** @throws SuperviseFault NOT_RUNNING */
export function askControl(path: string, request: ControlRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // No cause: that a socket is missing says nothing to whoever asked for a platform.
    const notRunning = (): void =>
      reject(new SuperviseFault("NOT_RUNNING", "no platform runs here; start one with shallop up"));
    const socket = connect(path);
    let text = "";
    socket.once("error", notRunning);
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
    socket.once("end", () => {
      try {
        resolve(JSON.parse(text));
      } catch {
        notRunning();
      }
    });
    socket.write(`${JSON.stringify(request)}\n`);
  });
}
