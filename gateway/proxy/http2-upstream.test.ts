import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { call, start, until } from "../client.fake.ts";
import { type FakeCluster, fakePod } from "../gateway.fake.ts";

type Program = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

interface Pod {
  readonly sessions: ServerHttp2Session[];
}

/** A service whose pod is a program that speaks HTTP/2. */
async function http2Service(cluster: FakeCluster, program: Program): Promise<Pod> {
  cluster.service("grpc", { containers: [{ image: "x", ports: [{ name: "h2c", containerPort: 8080 }] }] });
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    program(stream, headers);
  });
  const endpoint = await cluster.listening(server);
  cluster.gateway.cluster.set("pods", fakePod("grpc-00001-a", "grpc-00001", { endpoint }));
  return { sessions };
}

/** Of the whole frames that a client has sent, after the preface. */
function frameTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  let at = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length;
  while (at + 9 <= bytes.length) {
    types.push(bytes[at + 3] ?? -1);
    at += 9 + bytes.readUIntBE(at, 3);
  }
  return types;
}

function client(cluster: FakeCluster): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${cluster.port}`);
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

const authority = "grpc.default.localhost";

/** A unary call, as gRPC makes it. */
function unary(session: ClientHttp2Session, path = "/echo.Echo/Say", body = "\0\0\0\0\x02hi") {
  return new Promise<{ headers: IncomingHttpHeaders; trailers: IncomingHttpHeaders; body: string; code: number }>(
    (resolve) => {
      const stream = session.request({
        ":authority": authority,
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const answer = { headers: {}, trailers: {}, body: "", code: 0 };
      stream.on("response", (headers) => (answer.headers = headers));
      stream.on("trailers", (trailers) => (answer.trailers = trailers));
      stream.on("data", (chunk: Buffer) => (answer.body += chunk.toString("latin1")));
      stream.on("error", () => undefined);
      stream.on("close", () => resolve({ ...answer, code: stream.rstCode }));
      stream.end(body);
    },
  );
}

const echoing: Program = (stream, headers) => {
  stream.respond(
    { ":status": 200, "content-type": String(headers["content-type"]), "x-te": String(headers["te"]) },
    { waitForTrailers: true },
  );
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }));
  stream.pipe(stream);
};

describe("a native pod that speaks HTTP/2", () => {
  test("a unary call of gRPC: its message, its trailers, and what it needs of a hop", async () => {
    const cluster = await start();
    const { sessions } = await http2Service(cluster, echoing);
    const session = client(cluster);
    const answers = await Promise.all(Array.from({ length: 20 }, () => unary(session)));
    for (const answer of answers) {
      expect(answer.headers).toMatchObject({ ":status": 200, "content-type": "application/grpc", "x-te": "trailers" });
      expect(answer.trailers).toMatchObject({ "grpc-status": "0", "grpc-message": "fine" });
      expect(answer.body).toBe("\0\0\0\0\x02hi");
    }
    expect(sessions).toHaveLength(1);
  });

  test("an answer of trailers only ends with its head", async () => {
    const cluster = await start();
    await http2Service(cluster, (stream) =>
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" }, { endStream: true }),
    );
    const session = client(cluster);
    const stream = session.request({ ":authority": authority, ":method": "POST", "content-type": "application/grpc" });
    stream.end();
    const flags = await new Promise<number>((resolve) => void stream.once("response", (_head, bits) => resolve(bits)));
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0);
  });

  test("metadata of a program's own, however many, come whole, and the status with them", async () => {
    const cluster = await start();
    const metadata = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x-own-${index}`, "some text"]));
    await http2Service(cluster, (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc", ...metadata }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ ...metadata, "grpc-status": "0" }));
      stream.end("some");
    });
    const session = connect(`http://127.0.0.1:${cluster.port}`, { maxHeaderListPairs: 1_000 });
    session.on("error", () => undefined);
    onTestFinished(() => session.destroy());
    const { headers, trailers } = await unary(session);
    expect(headers).toMatchObject(metadata);
    expect(trailers).toMatchObject({ ...metadata, "grpc-status": "0" });
  });

  test.each([[4], [1_000_000], [0]])(
    "an answer that tells its length of %i bytes, and trailers after it",
    async (length) => {
      const cluster = await start();
      await http2Service(cluster, (stream) => {
        stream.respond({ ":status": 200, "content-length": length }, { waitForTrailers: true });
        stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(Buffer.alloc(length));
      });
      const { headers, trailers, body } = await unary(client(cluster));
      expect([headers["content-length"], body.length]).toEqual([String(length), length]);
      expect(trailers).toMatchObject({ "grpc-status": "0" });
    },
  );

  test.each([constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR])(
    "an answer that the pod breaks off with %i has no good end",
    async (reset) => {
      const cluster = await start();
      const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
        const head = Buffer.alloc(9);
        head.writeUIntBE(payload.length, 0, 3);
        head.writeUInt8(type, 3);
        head.writeUInt8(flags, 4);
        head.writeUInt32BE(stream, 5);
        return Buffer.concat([head, payload]);
      };
      const code = Buffer.alloc(4);
      code.writeUInt32BE(reset);
      const endpoint = await cluster.rawPod((socket) => {
        socket.write(frame(4, 0, 0, Buffer.alloc(0)));
        let seen = Buffer.alloc(0);
        socket.on("data", (chunk: Buffer) => {
          seen = Buffer.concat([seen, chunk]);
          // The client's frames after its preface: the first of type HEADERS, with END_HEADERS.
          if (!seen.includes(Buffer.from([1, 4, 0, 0, 0, 1])) || socket.bytesWritten > 9) return;
          // `:status: 200` by HPACK's table, then some of a body.
          socket.write(frame(1, 4, 1, Buffer.from([0x88])));
          socket.write(frame(0, 0, 1, Buffer.from("half")));
          setTimeout(() => socket.write(frame(3, 0, 1, code)), 50);
        });
      });
      cluster.service("grpc", { containers: [{ image: "x", ports: [{ name: "h2c", containerPort: 8080 }] }] });
      cluster.gateway.cluster.set("pods", fakePod("grpc-00001-a", "grpc-00001", { endpoint }));
      const answer = await unary(client(cluster));
      expect([answer.headers[":status"], answer.body]).toEqual([200, "half"]);
      expect(answer.code).not.toBe(constants.NGHTTP2_NO_ERROR);
    },
  );

  test("a client of gRPC has the gateway's own faults in its own words", async () => {
    const cluster = await start();
    const session = client(cluster);
    // All of the second comes in one read, as the connection is there by then.
    await unary(session);
    const answer = (await unary(session)).headers;
    expect(answer).toMatchObject({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" });
    expect(answer["grpc-message"]).toMatch(/^HOST_UNKNOWN: [ -~]+$/);
    expect(answer["x-request-id"]).toEqual(expect.any(String));
    expect(answer).not.toHaveProperty("content-length");
  });

  test("a call whose pod dies in the middle of its answer ends with a status that clients try again on", async () => {
    const cluster = await start();
    const { sessions } = await http2Service(cluster, (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.write("some");
    });
    const head = { ":authority": authority, ":method": "POST", "content-type": "application/grpc", te: "trailers" };
    const stream = client(cluster).request(head);
    stream.on("error", () => undefined);
    stream.once("data", () => sessions[0]?.destroy());
    const trailers = new Promise<IncomingHttpHeaders>((resolve) => void stream.once("trailers", resolve));
    const closed = new Promise((resolve) => void stream.once("close", resolve));
    stream.end();
    const status = { "grpc-status": "14", "grpc-message": expect.stringMatching(/^CONNECTION_LOST: /) };
    expect(await trailers).toMatchObject(status);
    await closed;
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("messages go both ways before either side has finished", async () => {
    const cluster = await start();
    await http2Service(cluster, echoing);
    const stream = client(cluster).request({ ":authority": authority, ":method": "POST" });
    let text = "";
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    for (const message of ["one ", "two ", "three "]) {
      stream.write(message);
      await until(() => text.endsWith(message));
    }
    stream.end();
    await new Promise((resolve) => void stream.once("close", resolve));
    expect(text).toBe("one two three ");
  });

  test("a client of HTTP/1.1 is served too", async () => {
    const cluster = await start();
    await http2Service(cluster, echoing);
    const { status, body } = await call(cluster, "grpc", { method: "POST", body: "x".repeat(300_000) });
    expect([status, body.length]).toEqual([200, 300_000]);
  });

  test("a pod that is stopping takes what it has, and the next request makes a new connection", async () => {
    const cluster = await start();
    const held: ServerHttp2Stream[] = [];
    const { sessions } = await http2Service(cluster, (stream) => held.push(stream));
    const session = client(cluster);
    const first = unary(session);
    await until(() => held.length === 1);
    sessions[0]?.close();
    await until(() => sessions[0]?.closed === true);
    await new Promise((resolve) => void setTimeout(resolve, 20));
    const second = unary(session);
    await until(() => held.length === 2);
    for (const stream of held) {
      stream.respond({ ":status": 200 });
      stream.end("done");
    }
    expect([(await first).body, (await second).body]).toEqual(["done", "done"]);
    expect(sessions).toHaveLength(2);
  });

  test("a stream that the pod refuses is sent again, one that it resets is not", async () => {
    const cluster = await start();
    let streams = 0;
    await http2Service(cluster, (stream, headers) => {
      streams++;
      if (headers[":path"] === "/reset") stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (streams === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else echoing(stream, headers);
    });
    const session = client(cluster);
    expect((await unary(session)).headers[":status"]).toBe(200);
    expect(streams).toBe(2);
    const answer = await unary(session, "/reset");
    expect(answer.headers).toMatchObject({ ":status": 200, "grpc-status": "14" });
    expect(answer.headers["grpc-message"]).toContain("ANSWER_INVALID");
    expect(streams).toBe(3);
  });

  test("a pod that resets its stream without an error has not ended its answer", async () => {
    const cluster = await start();
    const frame = (type: number, flags: number, payload: Buffer): Buffer => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head.set([type, flags], 3);
      // SETTINGS are the connection's.
      head.writeUInt32BE(type === 4 ? 0 : 1, 5);
      return Buffer.concat([head, payload]);
    };
    const [data, headers, reset, settings] = [0, 1, 3, 4];
    const none = Buffer.alloc(0);
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.write(Buffer.concat([frame(settings, 0, none), frame(settings, 1, none)]));
      let come = none;
      socket.on("data", (chunk: Buffer) => {
        const before = frameTypes(come).includes(headers);
        come = Buffer.concat([come, chunk]);
        if (before || !frameTypes(come).includes(headers)) return;
        const status200 = Buffer.from([0x88]);
        socket.write(Buffer.concat([frame(headers, 4, status200), frame(data, 0, Buffer.from("par"))]));
        socket.write(frame(reset, 0, Buffer.alloc(4)));
      });
    });
    cluster.service("grpc", { containers: [{ image: "x", ports: [{ name: "h2c", containerPort: 8080 }] }] });
    const endpoint = await cluster.listening(server);
    cluster.gateway.cluster.set("pods", fakePod("grpc-00001-a", "grpc-00001", { endpoint }));
    await expect(call(cluster, "grpc")).rejects.toThrow();
  });

  test("a pod that dies is 502 for what may have been begun, and nobody is there for the next", async () => {
    const cluster = await start();
    const { sessions } = await http2Service(cluster, (stream) => {
      setTimeout(() => sessions[0]?.socket.destroy(), 10);
      stream.resume();
    });
    const answer = await unary(client(cluster));
    expect(answer.headers).toMatchObject({ ":status": 200, "grpc-status": "14" });
    expect(answer.headers["grpc-message"]).toContain("CONNECTION_LOST");
  });

  test("a client that goes away cancels the pod's stream", async () => {
    const cluster = await start();
    let code: number | undefined;
    await http2Service(cluster, (stream) => {
      stream.once("close", () => (code = stream.rstCode));
      stream.resume();
    });
    const stream = client(cluster).request({ ":authority": authority });
    stream.on("error", () => undefined);
    await new Promise((resolve) => void setTimeout(resolve, 50));
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => code !== undefined);
    expect(code).toBe(constants.NGHTTP2_CANCEL);
  });
});
