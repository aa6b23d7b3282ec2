import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../internal/testing/index.ts";
import { type ConnectionHandlers, WireConnection } from "./connection.ts";
import { WireFault } from "./fault.ts";
import { encodeFrame, encodeTextFrame, frameType, type RequestHead, type ResponseHead } from "./frame.ts";
import { streamWindowBytes } from "./frame.ts";
import type { StreamHandlers, WireStream } from "./stream.ts";

const head = (target = "/"): RequestHead => ({
  method: "POST",
  target,
  scheme: "http",
  authority: "a.b.localhost",
  headers: ["accept", "*/*"],
  requestId: "r1",
  timeoutMs: 1000,
});

let folder: string;
let server: Server;
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wire-"));
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A connected pair of unix sockets: [gateway's, pod's]. */
async function socketPair(): Promise<[Socket, Socket]> {
  const path = join(folder, "pod.sock");
  const accepted = new Promise<Socket>((resolve) => {
    server = createServer(resolve).listen(path);
  });
  const gateway = connect(path);
  const pod = await accepted;
  sockets.push(gateway, pod);
  return [gateway, pod];
}

async function connectionPair(
  request: NonNullable<ConnectionHandlers["request"]>,
  gatewaySide: Partial<ConnectionHandlers> = {},
): Promise<{ gateway: WireConnection; pod: WireConnection; ends: (WireFault | undefined)[] }> {
  const [near, far] = await socketPair();
  const ends: (WireFault | undefined)[] = [];
  const pod = new WireConnection(far, { request, closed: () => undefined });
  const gateway = new WireConnection(near, { closed: (fault) => ends.push(fault), ...gatewaySide });
  return { gateway, pod, ends };
}

interface Answer {
  readonly head: ResponseHead | undefined;
  readonly body: Buffer;
  readonly fault: WireFault | undefined;
}

/** Sends one request with a body, reads the whole answer, and gives credit back at once. */
function exchange(connection: WireConnection, body: readonly Buffer[], target = "/"): Promise<Answer> {
  return new Promise((resolve) => {
    let answerHead: ResponseHead | undefined;
    const chunks: Buffer[] = [];
    const rest = [...body];
    const done = (fault?: WireFault): void => resolve({ head: answerHead, body: Buffer.concat(chunks), fault });
    const pump = (): void => {
      for (let chunk = rest.shift(); chunk !== undefined; chunk = rest.shift()) if (!stream.write(chunk)) return;
      stream.end();
    };
    const stream = connection.request(head(target), {
      head: (received) => (answerHead = received),
      data: (chunk) => {
        chunks.push(chunk);
        stream.consumed(chunk.length);
      },
      end: () => done(),
      failed: done,
      writable: pump,
    });
    pump();
  });
}

/** Answers with the request's own body, holding it back when the gateway does not read. */
function echo(_head: RequestHead, stream: WireStream): StreamHandlers {
  stream.respond({ status: 200, headers: [] });
  let owed = 0;
  return {
    data: (chunk) => {
      if (stream.write(chunk)) stream.consumed(chunk.length);
      else owed += chunk.length;
    },
    end: () => stream.end(),
    failed: () => undefined,
    writable: () => {
      const count = owed;
      owed = 0;
      stream.consumed(count);
    },
  };
}

const nextTurns = async (count = 5): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
};
const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("a request and its answer", () => {
  test("heads arrive as they were sent, body bytes too", async () => {
    const seen: RequestHead[] = [];
    const { gateway } = await connectionPair((received, stream) => {
      seen.push(received);
      return echo(received, stream);
    });
    const answer = await exchange(gateway, [Buffer.from("hello "), Buffer.from("there")]);
    expect(seen).toEqual([head()]);
    expect(answer.head).toEqual({ status: 200, headers: [] });
    expect(answer.body.toString()).toBe("hello there");
    expect(gateway.openStreams).toBe(0);
  });

  test("20 MB go both ways at once, unchanged", async () => {
    const { gateway } = await connectionPair(echo);
    const random = seededRandom(5);
    const megabyte = Buffer.from(Array.from({ length: 1 << 20 }, () => random.below(256)));
    const body = Array.from({ length: 20 }, () => megabyte);
    const answer = await exchange(gateway, body);
    expect(answer.fault).toBeUndefined();
    expect(hash(answer.body)).toBe(hash(Buffer.concat(body)));
  });

  test("many streams interleave without a byte going astray", async () => {
    const { gateway } = await connectionPair(echo);
    const bodies = fc.array(fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 4 }), {
      minLength: 1,
      maxLength: 30,
    });
    let salt = 0;
    await fc.assert(
      fc.asyncProperty(bodies, async (lengths) => {
        const requests = lengths.map((chunks) => chunks.map((length) => Buffer.alloc(length, ++salt % 251)));
        const answers = await Promise.all(requests.map((body) => exchange(gateway, body)));
        for (const [index, answer] of answers.entries()) {
          expect(answer.fault).toBeUndefined();
          expect(answer.body.equals(Buffer.concat(requests[index]!))).toBe(true);
        }
        expect(gateway.openStreams).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});

describe("flow control", () => {
  test("a reader that gives no credit back gets one window, and the other streams go on", async () => {
    let written = 0;
    let paused = false;
    const { gateway } = await connectionPair((received, stream) => {
      if (received.target !== "/flood") return echo(received, stream);
      stream.respond({ status: 200, headers: [] });
      while (written < 8 * streamWindowBytes) {
        written += 65_536;
        if (!stream.write(Buffer.alloc(65_536))) {
          paused = true;
          break;
        }
      }
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    let received = 0;
    gateway.request(head("/flood"), {
      data: (chunk) => (received += chunk.length),
      end: () => undefined,
      failed: () => undefined,
    });
    expect((await exchange(gateway, [Buffer.from("x")])).body.toString()).toBe("x");
    await nextTurns();
    expect(received).toBe(streamWindowBytes);
    expect(paused).toBe(true);
    expect(written).toBe(streamWindowBytes + 65_536);
  });

  test("a peer that sends more than its credit is cut off", async () => {
    const [near, far] = await socketPair();
    const ends: (WireFault | undefined)[] = [];
    const gateway = new WireConnection(near, { closed: (fault) => ends.push(fault) });
    far.write(encodeTextFrame(frameType.hello, 0, '{"version":1}'));
    const fault = new Promise<WireFault>((resolve) => {
      gateway.request(head(), { data: () => undefined, end: () => undefined, failed: resolve });
    });
    far.write(encodeTextFrame(frameType.response, 1, '{"status":200,"headers":[]}'));
    for (let sent = 0; sent <= streamWindowBytes; sent += 65_536) {
      far.write(encodeFrame(frameType.data, 1, Buffer.alloc(65_536)));
    }
    expect((await fault).code).toBe("PROTOCOL");
    expect(ends.map((end) => end?.code)).toEqual(["PROTOCOL"]);
  });
});

describe("trailers", () => {
  async function trailersOf(sent: readonly string[]): Promise<readonly (readonly string[])[]> {
    const { gateway } = await connectionPair((_head, stream) => ({
      data: () => undefined,
      end: (trailers = []) => {
        stream.respond({ status: 200, headers: [] });
        heard.push(trailers);
        stream.end(trailers);
      },
      failed: () => undefined,
    }));
    const heard: (readonly string[])[] = [];
    await new Promise<void>((resolve, reject) => {
      const stream = gateway.request(head(), {
        data: () => undefined,
        end: (trailers = []) => {
          heard.push(trailers);
          resolve();
        },
        failed: reject,
      });
      stream.end(sent);
    });
    return heard;
  }

  test.each([
    { what: "go both ways behind a body", sent: ["x-sum", "1", "x-é", "2"], heard: ["x-sum", "1", "x-é", "2"] },
    { what: "need not be", sent: [], heard: [] },
    { what: "that are longer than a head may be are left out", sent: ["x-long", "a".repeat(300_000)], heard: [] },
  ])("$what", async ({ sent, heard }) => {
    expect(await trailersOf(sent)).toEqual([heard, heard]);
  });
});

describe("endings", () => {
  test.each(["GUEST_FAILED", "GUEST_TIMEOUT", "GUEST_MEMORY", "REFUSED"] as const)(
    "a pod's abort arrives as %s",
    async (code) => {
      const { gateway, ends } = await connectionPair(() => {
        throw new WireFault(code, "because");
      });
      const { fault } = await exchange(gateway, []);
      expect([fault?.code, fault?.message]).toEqual([code, "because"]);
      expect(ends).toEqual([]);
    },
  );

  test("a guest's endless message costs its own request, not the connection", async () => {
    const { gateway } = await connectionPair((received, stream) => {
      if (received.target === "/good") return echo(received, stream);
      throw new Error("m".repeat(1_000_000));
    });
    const [bad, good] = await Promise.all([exchange(gateway, []), exchange(gateway, [Buffer.from("k")], "/good")]);
    expect(bad.fault?.code).toBe("GUEST_FAILED");
    expect(good.body.toString()).toBe("k");
  });

  test("a guest's endless headers cost its own request, not the connection", async () => {
    const faults: WireFault[] = [];
    const { gateway } = await connectionPair((received, stream) => {
      if (received.target === "/good") return echo(received, stream);
      setImmediate(() => stream.respond({ status: 200, headers: ["x", "v".repeat(400_000)] }));
      return { data: () => undefined, end: () => undefined, failed: (fault) => faults.push(fault) };
    });
    const [bad, good] = await Promise.all([exchange(gateway, []), exchange(gateway, [Buffer.from("k")], "/good")]);
    expect(bad.fault?.code).toBe("GUEST_LIMIT");
    expect(faults.map((fault) => fault.code)).toEqual(["GUEST_LIMIT"]);
    expect(good.body.toString()).toBe("k");
  });

  test("a gateway's abort reaches the pod, and what the pod sends meanwhile is no error", async () => {
    const cancelled: WireFault[] = [];
    let podStream: WireStream | undefined;
    const { gateway } = await connectionPair((received, stream) => {
      if (received.target === "/after") return echo(received, stream);
      podStream = stream;
      stream.respond({ status: 200, headers: [] });
      return { data: () => undefined, end: () => undefined, failed: (fault) => cancelled.push(fault) };
    });
    const stream = gateway.request(head(), {
      head: () => {
        stream.abort("CANCELLED", "the client left");
        podStream?.write(Buffer.from("too late"));
        podStream?.end();
      },
      data: () => expect.unreachable(),
      end: () => expect.unreachable(),
      failed: () => expect.unreachable(),
    });
    expect((await exchange(gateway, [Buffer.from("y")], "/after")).body.toString()).toBe("y");
    expect(stream.closed).toBe(true);
    expect(cancelled.length).toBeLessThanOrEqual(1);
  });

  test("an answer that is complete before the request ends the request", async () => {
    const { gateway, pod } = await connectionPair((_received, stream) => {
      stream.respond({ status: 413, headers: [] });
      stream.end();
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const ended = new Promise<boolean>((resolve) => {
      const stream = gateway.request(head(), {
        data: () => undefined,
        end: () => resolve(stream.write(Buffer.alloc(9))),
        failed: () => undefined,
      });
      stream.write(Buffer.alloc(2 * streamWindowBytes));
    });
    expect(await ended).toBe(true);
    await nextTurns();
    expect([gateway.openStreams, pod.openStreams]).toEqual([0, 0]);
  });

  test("a lost connection fails each open stream once", async () => {
    const [near, far] = await socketPair();
    const order: string[] = [];
    const gateway = new WireConnection(near, { closed: (fault) => order.push(`closed ${fault?.code}`) });
    for (const name of ["a", "b"]) {
      gateway.request(head(), {
        data: () => undefined,
        end: () => undefined,
        failed: (fault) => order.push(`${name} ${fault.code}`),
      });
    }
    await nextTurns(1);
    far.destroy();
    await nextTurns();
    expect(order).toEqual(["a CONNECTION_LOST", "b CONNECTION_LOST", "closed CONNECTION_LOST"]);
    expect(gateway.accepting).toBe(false);
  });

  test("a draining pod finishes what it has and refuses what is new", async () => {
    let finish = (): void => undefined;
    let draining = 0;
    const { gateway, pod } = await connectionPair(
      (_received, stream) => {
        finish = () => {
          stream.respond({ status: 200, headers: [] });
          stream.end();
        };
        return { data: () => undefined, end: () => undefined, failed: () => undefined };
      },
      { draining: () => draining++ },
    );
    const first = exchange(gateway, []);
    await nextTurns();
    pod.drain();
    const late = exchange(gateway, []);
    expect((await late).fault?.code).toBe("REFUSED");
    expect(draining).toBe(1);
    expect(gateway.accepting).toBe(false);
    finish();
    expect((await first).head?.status).toBe(200);
  });

  test("close waits for the streams that are open, and loses nothing", async () => {
    const begun = Promise.withResolvers<void>();
    const { gateway, pod, ends } = await connectionPair((received, stream) => {
      begun.resolve();
      return echo(received, stream);
    });
    const answer = exchange(gateway, [Buffer.alloc(700_000, 3)]);
    await begun.promise;
    expect(pod.openStreams).toBe(1);
    pod.close();
    expect((await answer).body).toHaveLength(700_000);
    await nextTurns();
    expect(ends.map((end) => end?.code)).toEqual(["CONNECTION_LOST"]);
    expect(pod.openStreams).toBe(0);
  });

  test("what was sent just before destroy still arrives", async () => {
    const { gateway, pod } = await connectionPair((_received, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.write(Buffer.from("last words"));
      stream.end();
      pod.destroy();
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    expect((await exchange(gateway, [])).body.toString()).toBe("last words");
  });
});

describe("violations end the connection with PROTOCOL", () => {
  const hello = encodeTextFrame(frameType.hello, 0, '{"version":1}');
  const response = encodeTextFrame(frameType.response, 1, '{"status":200,"headers":[]}');
  const request = (id: number): Buffer => encodeTextFrame(frameType.request, id, JSON.stringify(head()));

  const toGateway: { name: string; frames: Buffer[] }[] = [
    { name: "no hello", frames: [response] },
    { name: "another version", frames: [encodeTextFrame(frameType.hello, 0, '{"version":2}')] },
    { name: "hello that is no JSON", frames: [encodeTextFrame(frameType.hello, 0, "HTTP/1.1 400")] },
    { name: "hello twice", frames: [hello, hello] },
    { name: "an unknown type", frames: [hello, Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, 1])] },
    { name: "a pod that opens streams", frames: [hello, request(3)] },
    { name: "a body before the head", frames: [hello, encodeFrame(frameType.data, 1, Buffer.from("x"))] },
    { name: "an end before the head", frames: [hello, encodeFrame(frameType.end, 1, Buffer.alloc(0))] },
    { name: "two heads", frames: [hello, response, response] },
    { name: "a head without status", frames: [hello, encodeTextFrame(frameType.response, 1, '{"headers":[]}')] },
    {
      name: "headers that do not pair",
      frames: [hello, encodeTextFrame(frameType.response, 1, '{"status":200,"headers":["a"]}')],
    },
    {
      name: "phases that are no numbers",
      frames: [hello, encodeTextFrame(frameType.response, 1, '{"status":200,"headers":[],"phasesMs":{"a":"b"}}')],
    },
    { name: "an empty data frame", frames: [hello, response, encodeFrame(frameType.data, 1, Buffer.alloc(0))] },
    { name: "a stream that never was", frames: [hello, encodeFrame(frameType.end, 9, Buffer.alloc(0))] },
    { name: "an even stream", frames: [hello, encodeFrame(frameType.end, 2, Buffer.alloc(0))] },
    { name: "more credit than was used", frames: [hello, encodeFrame(frameType.credit, 1, Buffer.from([0, 0, 0, 1]))] },
    { name: "credit of nothing", frames: [hello, encodeFrame(frameType.credit, 1, Buffer.alloc(4))] },
    { name: "short credit", frames: [hello, encodeFrame(frameType.credit, 1, Buffer.alloc(3))] },
  ];
  test.each(toGateway)("gateway: $name", async ({ frames }) => {
    const [near, far] = await socketPair();
    const closed = new Promise<WireFault | undefined>((resolve) => {
      const gateway = new WireConnection(near, { closed: resolve });
      gateway.request(head(), { data: () => undefined, end: () => undefined, failed: () => undefined });
    });
    far.write(Buffer.concat(frames));
    expect((await closed)?.code).toBe("PROTOCOL");
    expect(near.destroyed).toBe(true);
  });

  const toPod: { name: string; frames: Buffer[] }[] = [
    { name: "an even number", frames: [hello, request(2)] },
    { name: "a number that was used", frames: [hello, request(5), request(5)] },
    { name: "a number that falls", frames: [hello, request(5), request(3)] },
    { name: "a head that is none", frames: [hello, encodeTextFrame(frameType.request, 1, "[]")] },
    { name: "an answer from the gateway", frames: [hello, request(1), response] },
    { name: "a drain from the gateway", frames: [hello, encodeFrame(frameType.drain, 0, Buffer.alloc(0))] },
    {
      name: "a body after its end",
      frames: [
        hello,
        request(1),
        encodeFrame(frameType.end, 1, Buffer.alloc(0)),
        encodeFrame(frameType.data, 1, Buffer.alloc(1)),
      ],
    },
  ];
  test.each(toPod)("pod: $name", async ({ frames }) => {
    const [near, far] = await socketPair();
    const closed = new Promise<WireFault | undefined>((resolve) => {
      const silent: StreamHandlers = { data: () => undefined, end: () => undefined, failed: () => undefined };
      const pod = new WireConnection(far, { request: () => silent, closed: resolve });
      expect(pod.openStreams).toBe(0);
    });
    near.write(Buffer.concat(frames));
    expect((await closed)?.code).toBe("PROTOCOL");
  });

  test("random bytes never do more than end the connection", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 9, maxLength: 200 }), async (bytes) => {
        const [near, far] = await socketPair();
        let requests = 0;
        const closed = new Promise<void>((resolve) => {
          const pod = new WireConnection(far, {
            request: () => {
              requests++;
              return { data: () => undefined, end: () => undefined, failed: () => undefined };
            },
            closed: () => resolve(),
          });
          expect(pod.accepting).toBe(true);
        });
        near.on("error", () => undefined);
        near.end(bytes);
        await closed;
        server.close();
        expect(requests).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});
