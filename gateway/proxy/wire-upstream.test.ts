import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@shallop/sdk/internal";
import { type RequestHead, WireConnection } from "@shallop/sdk/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { dialSocket } from "./dial.ts";
import type { GatewayFault } from "./fault-status.ts";
import type { UpstreamRequest } from "./upstream.ts";
import { WireUpstream } from "./wire-upstream.ts";

const request: UpstreamRequest = {
  head: {
    method: "POST",
    target: "/",
    scheme: "http",
    authority: "a",
    headers: [],
    requestId: "id",
    timeoutMs: 1000,
  },
  contentLength: undefined,
  hasBody: false,
  isUpgrade: false,
};

/** Something that listens where a pod does. */
async function listening(accept: (socket: Socket) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sh-wire-"));
  const path = join(folder, "pod.sock");
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    accept(socket);
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  onTestFinished(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  return path;
}

function upstreamTo(path: string, isNear: boolean): WireUpstream {
  const dial = () => dialSocket(path, systemClock);
  const upstream = new WireUpstream({ dial, isNear, draining: () => undefined });
  onTestFinished(() => upstream.retire());
  return upstream;
}

/** The status that came, or the code of what went wrong. */
function outcome(upstream: WireUpstream): Promise<number | string> {
  return new Promise((resolve) => {
    upstream.open(request, {
      opened: (stream) => stream.end(),
      informed: () => undefined,
      head: ({ status }) => resolve(status),
      data: () => undefined,
      end: () => undefined,
      failed: ({ code }: GatewayFault) => resolve(code),
      writable: () => undefined,
    });
  });
}

const answering = (socket: Socket): WireConnection =>
  new WireConnection(socket, {
    request: (_head: RequestHead, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.end();
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    },
    closed: () => undefined,
  });

describe.each([
  { name: "on this machine", isNear: true },
  { name: "through a tunnel", isNear: false },
])("a pod $name", ({ isNear }) => {
  test("answers", async () => {
    const upstream = upstreamTo(await listening(answering), isNear);
    expect(await Promise.all([outcome(upstream), outcome(upstream)])).toEqual([200, 200]);
    expect(await outcome(upstream)).toBe(200);
  });

  test("that ends the connection before its hello has begun nothing, and the next connection is tried anew", async () => {
    let connections = 0;
    const path = await listening((socket) => {
      connections++;
      if (connections > 1) answering(socket);
      // Also what was sent to it already.
      else socket.once("data", () => socket.destroy());
    });
    const upstream = upstreamTo(path, isNear);
    expect(await Promise.all([outcome(upstream), outcome(upstream)])).toEqual(["CONNECT_FAILED", "CONNECT_FAILED"]);
    expect(await outcome(upstream)).toBe(200);
  });

  test("that is lost after its hello may have begun what it was sent", async () => {
    const path = await listening((socket) => {
      const connection = new WireConnection(socket, {
        request: () => {
          connection.destroy();
          return { data: () => undefined, end: () => undefined, failed: () => undefined };
        },
        closed: () => undefined,
      });
    });
    expect(await outcome(upstreamTo(path, isNear))).toBe("CONNECTION_LOST");
  });

  test("that speaks another protocol is PROTOCOL", async () => {
    const path = await listening((socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await outcome(upstreamTo(path, isNear))).toBe("PROTOCOL");
  });
});

test("a pod of this machine has the request with the connection, before it has said hello", async () => {
  const heard = Promise.withResolvers<string>();
  const path = await listening((socket) => {
    let bytes = "";
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.toString("latin1");
      if (bytes.includes('"method":"POST"')) heard.resolve(bytes);
    });
  });
  void outcome(upstreamTo(path, true));
  expect(await heard.promise).toMatch(/"version":1.*"method":"POST"/s);
});
