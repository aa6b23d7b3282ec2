import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent } from "node:http";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { call, start, until } from "../client.fake.ts";
import { type FakeCluster, fakePod } from "../gateway.fake.ts";
import { dialAddress } from "./dial.ts";
import { HttpUpstream } from "./http-upstream.ts";
import { podRequestHead } from "./pod-request-head.ts";
import type { UpstreamHandlers, UpstreamRequest } from "./upstream.ts";

const readAll = async (incoming: IncomingMessage): Promise<string> => {
  let text = "";
  for await (const chunk of incoming as AsyncIterable<Buffer>) text += chunk.toString("latin1");
  return text;
};

/** A service whose pod is whatever does this with a connection. */
async function rawService(cluster: FakeCluster, connected: (socket: Socket) => void): Promise<void> {
  cluster.service("raw");
  const endpoint = await cluster.rawPod(connected);
  cluster.gateway.cluster.set("pods", fakePod("raw-00001-a", "raw-00001", { endpoint }));
}

const plainRequest: UpstreamRequest = {
  head: { method: "GET", target: "/", scheme: "http", authority: "a", headers: [], requestId: "1", timeoutMs: 1 },
  contentLength: undefined,
  hasBody: false,
  isUpgrade: false,
};

const answered = (then: () => void): UpstreamHandlers => ({
  opened: () => undefined,
  informed: () => undefined,
  head: () => undefined,
  data: () => undefined,
  end: then,
  failed: (fault) => {
    throw fault;
  },
  writable: () => undefined,
});

/** Answers each request head with these bytes. */
const answering =
  (bytes: string) =>
  (socket: Socket): void =>
    void socket.on("data", () => socket.write(bytes));

describe("a request to a native pod", () => {
  test("carries method, path, headers and body; connections are kept", async () => {
    const cluster = await start();
    const ports = new Set<number>();
    await cluster.nativeService("native", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      ports.add(incoming.socket.remotePort!);
      void readAll(incoming).then((body) => {
        outgoing.setHeader(
          "x-seen",
          `${incoming.method} ${incoming.url} ${incoming.headers.host} ${String(incoming.headers["x-mine"])}`,
        );
        outgoing.setHeader("set-cookie", ["a=1", "b=2"]);
        outgoing.end(body);
      });
    });
    for (let round = 0; round < 3; round++) {
      const options = { method: "PATCH", path: "/p?q", headers: { "x-mine": "yes" }, body: "x".repeat(200_000) };
      const { status, headers, body } = await call(cluster, "native", options);
      expect([status, body.length]).toEqual([200, 200_000]);
      expect(headers["x-seen"]).toBe("PATCH /p?q native.default.localhost:8080 yes");
      expect(headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    }
    expect(ports.size).toBe(1);
  });

  const framings: { name: string; head: string; body: string; seen: string }[] = [
    {
      name: "GET with a chunked body",
      head: "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n",
      body: "3\r\nabc\r\n0\r\n\r\n",
      seen: "abc chunked undefined",
    },
    {
      name: "GET with a length",
      head: "GET / HTTP/1.1\r\ncontent-length: 3\r\n",
      body: "abc",
      seen: "abc undefined 3",
    },
    {
      name: "DELETE chunked",
      head: "DELETE / HTTP/1.1\r\ntransfer-encoding: chunked\r\n",
      body: "3\r\nabc\r\n0\r\n\r\n",
      seen: "abc chunked undefined",
    },
    { name: "POST with nothing", head: "POST / HTTP/1.1\r\ncontent-length: 0\r\n", body: "", seen: " undefined 0" },
    { name: "POST without a length", head: "POST / HTTP/1.1\r\n", body: "", seen: " undefined undefined" },
    {
      name: "chunk extensions and trailers",
      head: "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n",
      body: "3;a=b\r\nabc\r\n0\r\nx-evil: 1\r\n\r\n",
      seen: "abc chunked undefined",
    },
  ];
  test.each(framings)("$name keeps its framing", async ({ head, body, seen }) => {
    const cluster = await start();
    const requests: string[] = [];
    await cluster.nativeService("native", (incoming, outgoing) => {
      void readAll(incoming).then((text) => {
        const { "transfer-encoding": coding, "content-length": length } = incoming.headers;
        requests.push(`${text} ${coding} ${length}`);
        outgoing.end("seen");
      });
    });
    const client = cluster.connect().send(`${head}host: native.default.localhost\r\n\r\n${body}`);
    await client.until(/seen$/);
    client.send(`${head}host: native.default.localhost\r\n\r\n${body}`);
    await client.until(/seen[^]*seen$/);
    expect(requests).toEqual([seen, seen]);
  });

  test("hop-by-hop headers stay on their hop, both ways", async () => {
    const cluster = await start();
    let seen: string[] = [];
    await cluster.nativeService("native", (incoming, outgoing) => {
      seen = Object.keys(incoming.headers).sort();
      outgoing.writeHead(200, {
        connection: "x-private",
        "x-private": "1",
        "keep-alive": "timeout=1",
        "x-public": "1",
        "x-shallop-x": "1",
      });
      outgoing.end();
    });
    const { headers } = await call(cluster, "native", {
      headers: { connection: "x-mine, keep-alive", "x-mine": "1", upgrade: "h2c", "http2-settings": "x" },
    });
    expect(seen).toEqual(
      [
        "connection",
        "forwarded",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
      ].sort(),
    );
    expect(headers["x-public"]).toBe("1");
    expect([headers["x-private"], headers["x-shallop-x"]]).toEqual([undefined, undefined]);
  });

  test("backpressure: a client that does not read stops the pod from writing", async () => {
    const cluster = await start();
    let written = 0;
    await cluster.nativeService("native", (_incoming, outgoing) => {
      const pump = (): void => {
        while (written < 256 * 1024 * 1024) {
          written += 65_536;
          if (!outgoing.write(Buffer.alloc(65_536))) return void outgoing.once("drain", pump);
        }
      };
      pump();
    });
    const client = cluster.connect();
    client.socket.pause();
    client.send("GET / HTTP/1.1\r\nhost: native.default.localhost\r\n\r\n");
    // The kernel asks a closed window anew after 200 ms, and may then take more.
    for (let before = -1; before !== written; await sleep(500)) before = written;
    expect(written).toBeLessThan(32 * 1024 * 1024);
  });

  test("a client that leaves closes the pod's connection", async () => {
    const cluster = await start();
    let left = 0;
    let begun = 0;
    await cluster.nativeService("native", (incoming) => {
      begun++;
      incoming.socket.once("close", () => left++);
    });
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: native.default.localhost\r\n\r\n");
    await until(() => begun === 1);
    client.socket.destroy();
    await until(() => left === 1);
    await until(() => cluster.gateway.load.open === 0);
  });

  test("a pod that refuses an upload and closes has answered, whatever it did not read", async () => {
    const cluster = await start();
    const refusal = "HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 8\r\n\r\ntoo much";
    await rawService(cluster, (socket) => {
      socket.once("data", () => {
        socket.pause();
        // Unread bytes make the kernel answer with a reset.
        socket.write(refusal, () => socket.destroy());
      });
    });
    const body = Buffer.alloc(1_000_000, "x");
    for (let round = 0; round < 20; round++) {
      const { status, body: said } = await call(cluster, "raw", { method: "POST", body });
      expect([status, said]).toEqual([413, "too much"]);
    }
  });

  test("100 Continue, early hints and trailers of the pod do no harm", async () => {
    const cluster = await start();
    await rawService(
      cluster,
      answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" +
          "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n2\r\nok\r\n0\r\nx-t: 1\r\n\r\n",
      ),
    );
    const { status, body, headers } = await call(cluster, "raw");
    expect([status, body, headers["x-t"], headers["link"]]).toEqual([200, "ok", undefined, undefined]);
  });

  test("early hints reach the client before the answer, without what is the hop's own", async () => {
    const cluster = await start();
    await cluster.nativeService("native", (_incoming, outgoing) => {
      outgoing.writeEarlyHints({ link: "</style.css>; rel=preload; as=style", "x-hint": "1" });
      outgoing.end("done");
    });
    const client = cluster
      .connect()
      .send("GET / HTTP/1.1\r\nHost: native.default.localhost\r\nConnection: close\r\n\r\n");
    const text = await client.ended();
    expect(text).toMatch(
      /^HTTP\/1.1 103 Early Hints\r\nLink: <\/style.css>; rel=preload; as=style\r\nx-hint: 1\r\n\r\nHTTP\/1.1 200 /i,
    );
  });

  test("ranges, conditions and events pass as they are", async () => {
    const cluster = await start();
    const heard = Promise.withResolvers<void>();
    await cluster.nativeService("native", (incoming, outgoing) => {
      if (incoming.url === "/events") {
        outgoing.writeHead(200, { "content-type": "text/event-stream" });
        outgoing.write("data: first\n\n");
        void heard.promise.then(() => outgoing.end("data: last\n\n"));
        return;
      }
      const asked = [incoming.headers.range, incoming.headers["if-range"]].join(" ");
      outgoing.writeHead(206, { "content-range": "bytes 0-3/10", "x-asked": asked }).end("0123");
    });
    const part = await call(cluster, "native", { headers: { range: "bytes=0-3", "if-range": '"v1"' } });
    expect([part.status, part.headers["content-range"], part.headers["x-asked"], part.body]).toEqual([
      206,
      "bytes 0-3/10",
      'bytes=0-3 "v1"',
      "0123",
    ]);
    const client = cluster.connect().send("GET /events HTTP/1.1\r\nHost: native.default.localhost\r\n\r\n");
    // The first event comes while the function goes on.
    expect(await client.until(/data: first/)).not.toContain("last");
    heard.resolve();
    await client.until(/data: last/);
  });

  test("HEAD and 304 with a length have no body, and the connection is good afterwards", async () => {
    const cluster = await start();
    await cluster.nativeService("native", (incoming, outgoing) => {
      outgoing.writeHead(incoming.url === "/304" ? 304 : 200, { "content-length": "5" });
      if (incoming.method === "HEAD" || incoming.url === "/304") outgoing.end();
      else outgoing.end("hello");
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const head = await call(cluster, "native", { method: "HEAD", agent });
    expect([head.status, head.headers["content-length"], head.body]).toEqual([200, "5", ""]);
    expect(await call(cluster, "native", { path: "/304", agent })).toMatchObject({ status: 304, body: "" });
    expect(await call(cluster, "native", { agent })).toMatchObject({ status: 200, body: "hello" });
  });

  test("an answer before the end of the request reaches the client", async () => {
    const cluster = await start();
    await cluster.nativeService("native", (_incoming, outgoing) => {
      outgoing.writeHead(403, { connection: "close" });
      outgoing.end("no");
    });
    const client = cluster.connect();
    client.send("POST / HTTP/1.1\r\nhost: native.default.localhost\r\ncontent-length: 10000000\r\n\r\nsome");
    expect(await client.until(/no$/)).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe("a connection to a native pod", () => {
  const get = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
  const cases: { name: string; answer: (socket: Socket, nth: number) => void; connections: number }[] = [
    { name: "is used again", answer: (socket) => void socket.write(get), connections: 1 },
    {
      name: "that carries more than the answer is not: nothing of it is another request's answer",
      answer: (socket) => void socket.write(`${get}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`),
      connections: 3,
    },
    {
      name: "that carries an answer that nobody has asked for is not",
      answer: (socket) => {
        socket.write(get);
        setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"), 5);
      },
      connections: 3,
    },
    { name: "that the pod closes while it is idle is not", answer: (socket) => void socket.end(get), connections: 3 },
    {
      name: "of which the answer says that it ends is not",
      answer: (socket) => void socket.write(get.replace("\r\n", "\r\nConnection: Close\r\n")),
      connections: 3,
    },
    {
      name: "of HTTP/1.0 is not",
      answer: (socket) => void socket.write(get.replace("HTTP/1.1", "HTTP/1.0")),
      connections: 3,
    },
    {
      name: "whose end is the answer's is not",
      answer: (socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\nok"),
      connections: 3,
    },
  ];
  test.each(cases)("$name", async ({ answer, connections }) => {
    const cluster = await start();
    let connected = 0;
    await rawService(cluster, (socket) => {
      connected++;
      socket.on("data", () => answer(socket, connected));
    });
    for (let round = 0; round < 3; round++) {
      // Not one that may be done twice: none is lost.
      expect(await call(cluster, "raw", { method: "POST", body: "x" })).toMatchObject({ status: 200, body: "ok" });
      await sleep(20);
    }
    expect(connected).toBe(connections);
  });

  test("that is idle is closed after a while, and when the pod is gone", async () => {
    const cluster = await start();
    const open = new Set<Socket>();
    const pod = createServer((socket) => {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => open.delete(socket));
      socket.on("data", () => socket.write(get));
    });
    const { host, port } = (await cluster.listening(pod)) as { host: string; port: number };
    const clock = new FakeClock();
    const upstream = new HttpUpstream({ clock, dial: () => dialAddress({ host, port }, clock) });
    const ask = (): Promise<void> => new Promise((resolve) => void upstream.open(plainRequest, answered(resolve)));
    await Promise.all([ask(), ask()]);
    expect(open.size).toBe(2);
    await clock.advance(3_000);
    await ask();
    await clock.advance(1_500);
    await until(() => open.size === 1);
    await clock.advance(4_000);
    await until(() => open.size === 0);
    await ask();
    expect(open.size).toBe(1);
    upstream.retire();
    await until(() => open.size === 0);
    // One that was on its way is closed when it is back.
    await ask();
    await until(() => open.size === 0);
  });
});

describe("the head of a request to a pod", () => {
  const { head } = plainRequest;
  test.each([
    { what: "a field with a line's end", head: { ...head, headers: ["a", "b\r\nc: d"] } },
    { what: "a name that is none", head: { ...head, headers: ["a b", "c"] } },
    { what: "what is no byte", head: { ...head, headers: ["a", "\u0100"] } },
    { what: "a method of two words", head: { ...head, method: "GET /x" } },
    { what: "a target with a space", head: { ...head, target: "/a b" } },
    { what: "a host with a line's end", head: { ...head, authority: "a\r\nb: c" } },
  ])("does not hold $what", ({ head: bad }) => {
    expect(podRequestHead({ ...plainRequest, head: bad })).toBeUndefined();
    expect(podRequestHead(plainRequest)).toBe("GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n");
  });
});

describe("faults of a native pod", () => {
  const broken: { name: string; connected: (socket: Socket) => void; status: number; code: string }[] = [
    {
      name: "closes without a word",
      connected: (socket) => void socket.once("data", () => socket.end()),
      status: 502,
      code: "CONNECTION_LOST",
    },
    {
      name: "resets",
      connected: (socket) => void socket.once("data", () => socket.resetAndDestroy()),
      status: 502,
      code: "CONNECTION_LOST",
    },
    { name: "speaks no HTTP", connected: answering("220 mail.example ESMTP\r\n"), status: 502, code: "ANSWER_INVALID" },
    {
      name: "sends a huge header",
      connected: answering(`HTTP/1.1 200 OK\r\nx: ${"a".repeat(100_000)}\r\n\r\n`),
      status: 502,
      code: "ANSWER_INVALID",
    },
    {
      name: "gives two lengths",
      connected: answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
      status: 502,
      code: "ANSWER_INVALID",
    },
    {
      name: "switches protocols unasked",
      connected: answering("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
      status: 502,
      code: "ANSWER_INVALID",
    },
    { name: "is silent", connected: () => undefined, status: 504, code: "ANSWER_TIMEOUT" },
  ];
  test.each(broken)("a pod that $name is $status $code", async ({ connected, status, code }) => {
    const cluster = await start();
    cluster.service("raw", { timeoutSeconds: 0.1 });
    const endpoint = await cluster.rawPod(connected);
    cluster.gateway.cluster.set("pods", fakePod("raw-00001-a", "raw-00001", { endpoint }));
    const answer = await call(cluster, "raw", { method: "POST", body: "x" });
    expect([answer.status, answer.body.split(":")[0]]).toEqual([status, code]);
    await until(() => cluster.gateway.load.open === 0);
  });

  test("an answer that is cut short cuts the client's connection", async () => {
    const cluster = await start();
    await rawService(
      cluster,
      (socket) => void socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")),
    );
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: raw.default.localhost\r\n\r\n");
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 [^]*some$/);
  });

  test("a kept connection that the pod closes at the wrong moment is made again for a GET", async () => {
    const cluster = await start();
    let connections = 0;
    await rawService(cluster, (socket) => {
      connections++;
      let requests = 0;
      socket.on("data", () => {
        if (++requests === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        else socket.destroy();
      });
    });
    expect((await call(cluster, "raw")).body).toBe("ok");
    expect((await call(cluster, "raw")).body).toBe("ok");
    expect(connections).toBe(2);
  });
});
