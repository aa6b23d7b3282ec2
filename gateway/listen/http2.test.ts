import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { silent, start, until } from "../client.fake.ts";
import { reflecting, saying } from "../gateway.fake.ts";

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: string;
  /** Error code of the stream's reset; 0 for none. */
  readonly code: number;
}

interface CallOptions {
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

const authority = "hello.default.localhost:8080";

/** A client that knows beforehand that the gateway speaks HTTP/2. */
function session(port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`);
  client.on("error", () => undefined);
  onTestFinished(() => client.destroy());
  return client;
}

function call(client: ClientHttp2Session, { body, trailers, headers = {} }: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = client.request(
      { ":authority": authority, ":method": body === undefined ? "GET" : "POST", ...headers },
      { waitForTrailers: trailers !== undefined },
    );
    let head: IncomingHttpHeaders = {};
    let last: IncomingHttpHeaders | undefined;
    let text = "";
    stream.on("response", (received) => (head = received));
    stream.on("trailers", (received) => (last = received));
    stream.on("wantTrailers", () => stream.sendTrailers({ ...trailers }));
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    stream.on("error", () => undefined);
    stream.on("close", () => resolve({ headers: head, trailers: last, body: text, code: stream.rstCode }));
    stream.end(body);
  });
}

describe("HTTP/2 with prior knowledge, on the port of HTTP/1.1", () => {
  test("a guest sees the request as it would see one of HTTP/1.1", async () => {
    const cluster = await start();
    await cluster.wireService("hello", reflecting);
    const answer = await call(session(cluster.port), {
      body: "some text",
      headers: {
        ":path": "/a?b=c",
        "x-own": "1",
        cookie: ["a=1", "b=2"],
        te: "trailers",
        "x-forwarded-for": "6.6.6.6",
      },
    });
    expect(answer.headers).toMatchObject({ ":status": 200, "content-type": "application/json" });
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    const seen = JSON.parse(answer.body) as { headers: string[] };
    expect(seen).toMatchObject({ method: "POST", target: "/a?b=c", authority, scheme: "http", body: "some text" });
    const header = (name: string): string | undefined => seen.headers[seen.headers.indexOf(name) + 1];
    expect(header("x-own")).toBe("1");
    expect(header("cookie")).toBe("a=1; b=2");
    expect(header("x-forwarded-for")).toBe("127.0.0.1");
    expect(seen.headers).not.toContain("te");
  });

  test("many requests share a connection, and a slow one holds no other", async () => {
    const cluster = await start();
    const { handler, streams } = silent();
    await cluster.wireService("slow", handler);
    await cluster.wireService("hello", saying("hello"));
    const client = session(cluster.port);
    const slow = call(client, { headers: { ":authority": "slow.default.localhost" } });
    await until(() => streams.length === 1);
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(client)));
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, () => "hello"));
    streams[0]?.respond({ status: 200, headers: [] });
    streams[0]?.end();
    expect((await slow).headers[":status"]).toBe(200);
  });

  test("OPTIONS of the whole server is answered by the gateway", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hello"));
    const { headers } = await call(session(cluster.port), { headers: { ":method": "OPTIONS", ":path": "*" } });
    expect([headers[":status"], headers["allow"]]).toEqual([204, expect.stringContaining("OPTIONS")]);
    expect(pod.seen).toEqual([]);
  });

  test("a preface that comes byte by byte is one", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hello"));
    const client = connect(`http://127.0.0.1:${cluster.port}`, {
      createConnection: () => {
        const socket = connectSocket(cluster.port, "127.0.0.1").setNoDelay(true);
        const write = socket.write.bind(socket);
        const slowly = async (): Promise<void> => {
          for (const character of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
            write(character);
            await sleep(1);
          }
        };
        const ready = slowly();
        // nghttp2's first write begins with the preface, which has been sent.
        let first = true;
        const pass = (chunk: Buffer | string): boolean => {
          const bytes = Buffer.from(chunk as string, "latin1");
          const rest = first ? bytes.subarray(24) : bytes;
          first = false;
          void ready.then(() => rest.length === 0 || write(rest));
          return true;
        };
        return Object.assign(socket, { write: pass });
      },
    });
    onTestFinished(() => client.destroy());
    client.on("error", () => undefined);
    await sleep(100);
    expect(client.closed).toBe(false);
  });

  test("HEAD, an empty answer and one without a body", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (_head, stream) => ({
      data: () => undefined,
      end: () => {
        stream.respond({ status: 204, headers: [] });
        stream.end();
      },
      failed: () => undefined,
    }));
    const client = session(cluster.port);
    expect((await call(client, { headers: { ":method": "HEAD" } })).headers[":status"]).toBe(204);
    expect(await call(client)).toMatchObject({ headers: { ":status": 204 }, body: "", code: 0 });
  });

  test("a body streams both ways, and a client that does not read holds the guest back", async () => {
    const cluster = await start();
    let sent = 0;
    await cluster.wireService("hello", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      const push = (): void => {
        while (sent < 32 * 1024 * 1024) {
          sent += 65_536;
          if (!stream.write(Buffer.alloc(65_536))) return;
        }
        stream.end();
      };
      push();
      return { data: () => undefined, end: () => undefined, failed: () => undefined, writable: push };
    });
    const stream = session(cluster.port).request({ ":authority": authority });
    stream.pause();
    await until(() => sent > 0);
    await sleep(200);
    expect(sent).toBeLessThan(8 * 1024 * 1024);
    let received = 0;
    stream.on("data", (chunk: Buffer) => (received += chunk.length));
    await new Promise((resolve) => void stream.once("end", resolve).resume());
    expect(received).toBe(32 * 1024 * 1024);
  });

  test("trailers of a native pod reach the client, and those of the client the pod", async () => {
    const cluster = await start();
    let seen: NodeJS.Dict<string> = {};
    await cluster.nativeService("hello", (incoming, outgoing) => {
      incoming.resume();
      incoming.once("end", () => {
        seen = incoming.trailers;
        outgoing.writeHead(200, { trailer: "grpc-status" });
        outgoing.write("text");
        outgoing.addTrailers({ "grpc-status": "0", "set-cookie": "a=b" });
        outgoing.end();
      });
    });
    const answer = await call(session(cluster.port), { body: "text", trailers: { "x-sum": "42" } });
    expect(answer).toMatchObject({ body: "text", trailers: { "grpc-status": "0" } });
    expect(answer.trailers).not.toHaveProperty("set-cookie");
    expect(seen).toEqual({ "x-sum": "42" });
  });
});

test("a cookie of many crumbs is one header", async () => {
  const cluster = await start();
  await cluster.wireService("hello", reflecting);
  const cookie = Array.from({ length: 200 }, (_, index) => `c${index}=1`);
  const { body } = await call(session(cluster.port), { headers: { cookie } });
  expect(JSON.parse(body).headers).toContain(cookie.join("; "));
});

describe("what is wrong is said on its stream, and the others go on", () => {
  const rows: { name: string; headers: CallOptions["headers"] & object; status: number }[] = [
    { name: "an unknown host", headers: { ":authority": "other.default.localhost" }, status: 404 },
    { name: "two hosts", headers: { host: "other.default.localhost" }, status: 400 },
    { name: "a path with a fragment", headers: { ":path": "/a#b" }, status: 400 },
    { name: "a method that nobody knows", headers: { ":method": "FROB" }, status: 501 },
    { name: "TRACE", headers: { ":method": "TRACE" }, status: 501 },
    { name: "another expectation", headers: { expect: "cake" }, status: 417 },
    {
      name: "101 headers",
      headers: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, "1"])),
      status: 431,
    },
    {
      name: "500 headers",
      headers: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x-${index}`, "1"])),
      status: 431,
    },
    { name: "40 KiB in one header", headers: { "x-long": "a".repeat(40_000) }, status: 431 },
  ];
  test.each(rows)("$name", async ({ headers, status }) => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hello"));
    const client = session(cluster.port);
    const { handler, streams } = silent();
    await cluster.wireService("slow", handler);
    const slow = call(client, { headers: { ":authority": "slow.default.localhost" } });
    await until(() => streams.length === 1);
    const answer = await call(client, { headers });
    expect(answer.headers[":status"]).toBe(status);
    expect(answer.body).toMatch(/request id: [0-9a-f-]{36}\n$/);
    expect(pod.seen).toEqual([]);
    streams[0]?.respond({ status: 200, headers: [] });
    streams[0]?.end();
    expect((await slow).headers[":status"]).toBe(200);
  });

  // RFC 9113, 8.1.1: what is malformed is a stream error. nghttp2 sees to it.
  const malformed: { name: string; headers: CallOptions["headers"] & object }[] = [
    { name: "an empty host", headers: { ":authority": "" } },
    { name: "a path with a host", headers: { ":path": "http://other.default.localhost/" } },
    { name: "a length that the body has not", headers: { ":method": "POST", "content-length": "5" } },
  ];
  test.each(malformed)("$name resets the stream", async ({ headers }) => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hello"));
    const client = session(cluster.port);
    expect((await call(client, { headers })).code).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
    expect(pod.seen).toEqual([]);
    expect((await call(client)).body).toBe("hello");
  });

  test("a body above the limit is refused before it is sent", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hello"));
    const stream = session(cluster.port).request({
      ":authority": authority,
      ":method": "POST",
      "content-length": "2000000000000",
    });
    let status: number | undefined;
    stream.on("response", (headers) => (status = headers[":status"]));
    await new Promise((resolve) => void stream.once("close", resolve).resume());
    expect(status).toBe(413);
  });

  test("a guest that breaks off within its answer resets the stream", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.write(Buffer.from("half"));
      setTimeout(() => stream.abort("GUEST_FAILED", "it broke"), 20);
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const answer = await call(session(cluster.port));
    expect(answer).toMatchObject({ headers: { ":status": 200 }, code: constants.NGHTTP2_INTERNAL_ERROR });
  });

  test("an answer before the end of the request is whole, and the rest is not wanted", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (_head, stream) => {
      stream.respond({ status: 403, headers: [] });
      stream.write(Buffer.from("no"));
      stream.end();
      return { data: (chunk) => stream.consumed(chunk.length), end: () => undefined, failed: () => undefined };
    });
    const stream = session(cluster.port).request({ ":authority": authority, ":method": "POST" });
    stream.write("the beginning");
    let status: number | undefined;
    stream.on("response", (headers) => (status = headers[":status"]));
    await new Promise((resolve) => void stream.once("close", resolve).resume());
    expect(status).toBe(403);
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("a client that resets its stream is gone, and the guest is told", async () => {
    const cluster = await start();
    const { handler, streams, cancelled } = silent();
    await cluster.wireService("hello", handler);
    const stream = session(cluster.port).request({ ":authority": authority });
    stream.on("error", () => undefined);
    await until(() => streams.length === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => cancelled.length === 1);
    expect(cancelled).toEqual(["CANCELLED"]);
  });

  test("a client that opens and resets streams without end loses its connection, and nobody else does", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hello"));
    const other = session(cluster.port);
    const flood = session(cluster.port);
    for (let count = 0; count < 1_000 && !flood.destroyed; count++) {
      const stream = flood.request({ ":authority": authority });
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
      if (count % 50 === 0) await sleep(1);
    }
    await until(() => flood.destroyed);
    expect((await call(other)).body).toBe("hello");
  });
});

test("a connection that has had its requests is announced to close first, and loses none that are on their way", async () => {
  const cluster = await start({ requestsPerConnectionMax: 3 });
  await cluster.wireService("hello", saying("hello"));
  const client = session(cluster.port);
  const goaways: number[] = [];
  client.on("goaway", (_code, lastStream) => void goaways.push(lastStream));
  // The client's own part is to open no more; here it has five under way when it hears.
  const answers = await Promise.all(Array.from({ length: 5 }, () => call(client)));
  expect(answers.map(({ headers }) => headers[":status"])).toEqual([200, 200, 200, 200, 200]);
  await until(() => client.destroyed);
  expect(goaways[0]).toBe(2 ** 31 - 1);
  expect(goaways.at(-1)).toBe(9);
});

test("a stop lets streams finish, opens none, and closes the connection", async () => {
  const cluster = await start();
  const { handler, streams } = silent();
  await cluster.wireService("hello", handler);
  const client = session(cluster.port);
  const running = call(client);
  await until(() => streams.length === 1);
  const goaway = new Promise((resolve) => void client.once("goaway", resolve));
  const closed = cluster.gateway.close();
  await goaway;
  streams[0]?.respond({ status: 200, headers: [] });
  streams[0]?.end();
  expect((await running).headers[":status"]).toBe(200);
  await closed;
  await until(() => client.destroyed);
});
