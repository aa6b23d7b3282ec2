import type { Socket } from "node:net";
import type { RequestHead } from "@shallop/sdk/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ClientOptions, WebSocket as WsClient } from "ws";
import { call, start, until } from "../client.fake.ts";
import type { GatewayLimits } from "../limits.ts";
import { activation, type FakeCluster, fakePod, fakeRevision, fakeRoute, type WireHandler } from "../gateway.fake.ts";

interface Call {
  readonly head: RequestHead;
  readonly event: string;
  readonly id: string;
  readonly state: string | undefined;
  readonly body: Buffer;
  readonly answer: (lines: readonly object[]) => void;
}

const header = (head: RequestHead, name: string): string | undefined => {
  const at = head.headers.findIndex((item, index) => index % 2 === 0 && item === name);
  return at === -1 ? undefined : head.headers[at + 1];
};

const type = "application/vnd.shallop.websocket";

/** A component: what it does with each event, and all that it was told. */
function component(does: (call: Call) => readonly object[] | "fails" | undefined) {
  const calls: Call[] = [];
  const handler: WireHandler = (head, stream) => {
    const chunks: Buffer[] = [];
    return {
      data: (chunk) => {
        chunks.push(Buffer.from(chunk));
        stream.consumed(chunk.length);
      },
      end: () => {
        const made: Call = {
          head,
          event: header(head, "x-shallop-websocket") ?? "",
          id: header(head, "x-shallop-websocket-id") ?? "",
          state: header(head, "x-shallop-websocket-state"),
          body: Buffer.concat(chunks),
          answer: (lines) => {
            stream.respond({ status: 200, headers: ["content-type", type] });
            for (const line of lines) stream.write(Buffer.from(`${JSON.stringify(line)}\n`));
            stream.end();
          },
        };
        calls.push(made);
        const lines = does(made);
        if (lines === "fails") stream.abort("GUEST_FAILED", "the guest failed");
        else if (lines !== undefined) made.answer(lines);
      },
      failed: () => undefined,
    };
  };
  return { handler, calls, told: () => calls.map(({ event }) => event) };
}

const echo = ({ event, body }: Call): readonly object[] =>
  event === "open" ? [{ accept: {} }] : event === "message" ? [{ send: body.toString() }] : [];

class Client {
  readonly socket: WsClient;
  readonly said: string[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  status: number | undefined;

  constructor(cluster: FakeCluster, protocols: string[] = [], options: ClientOptions = {}) {
    const headers = { host: "chat.default.localhost", ...options.headers };
    const address = `ws://127.0.0.1:${cluster.port}/room/1?a=b`;
    this.socket = new WsClient(address, protocols, { perMessageDeflate: false, ...options, headers });
    onTestFinished(() => this.socket.terminate());
    this.socket.on("message", (data: Buffer, isBinary) =>
      this.said.push(isBinary ? `0x${data.toString("hex")}` : data.toString()),
    );
    this.socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.socket.on("unexpected-response", (_request, response) => (this.status = response.statusCode));
    this.socket.on("error", () => undefined);
  }

  async opened(): Promise<this> {
    await until(() => this.socket.readyState === WsClient.OPEN);
    return this;
  }

  get raw(): Socket {
    return (this.socket as unknown as { readonly _socket: Socket })._socket;
  }
}

async function chat(does: Parameters<typeof component>[0], limits: Partial<GatewayLimits> = {}) {
  // At a test's end the pods go before the gateway: what it would still tell them has nobody to go to.
  const cluster = await start({ drainTimeoutMs: 100, ...limits });
  const { handler, calls, told } = component(does);
  const pod = await cluster.wireService("chat", handler);
  return { cluster, calls, told, pod };
}

describe("a WebSocket that the gateway holds for a component", () => {
  test("open, message and close are calls, one after the other, and what they say reaches the client", async () => {
    const { cluster, calls, told } = await chat(echo);
    const client = await new Client(cluster, [], {
      headers: { cookie: "who=me", "x-shallop-websocket-id": "forged" },
    }).opened();
    for (const word of ["one", "two", "three"]) client.socket.send(word);
    await until(() => client.said.length === 3);
    expect(client.said).toEqual(["one", "two", "three"]);
    client.socket.close(4001, "bye");
    await until(() => calls.length === 5 && cluster.gateway.status().webSockets === 0);
    expect(told()).toEqual(["open", "message", "message", "message", "close"]);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(1);
    expect(calls[0]?.id).not.toBe("forged");
    expect(calls.map(({ head }) => [head.method, head.target, header(head, "cookie")])).toEqual([
      ["GET", "/room/1?a=b", "who=me"],
      ...Array.from({ length: 4 }, () => ["POST", "/room/1?a=b", "who=me"]),
    ]);
    expect(header(calls[4]!.head, "x-shallop-websocket-code")).toBe("4001");
    expect(calls[4]?.body.toString()).toBe("bye");
    await until(() => cluster.gateway.load.open === 0);
  });

  test("it is open while no pod is, costs no concurrency, and a message brings one up", async () => {
    const { cluster, calls, pod } = await chat(echo);
    const client = await new Client(cluster).opened();
    await until(() => cluster.gateway.load.open === 0);
    expect(cluster.gateway.status().revisions.every(({ concurrency }) => concurrency === 0)).toBe(true);
    cluster.gateway.cluster.delete("pods", fakePod("chat-00001-a", "chat-00001"));
    cluster.activate = () => Promise.resolve(activation("chat-00001-b", pod.endpoint));
    client.socket.send("awake");
    await until(() => client.said.length === 1);
    expect([client.said, calls.length, cluster.asked]).toEqual([["awake"], 2, ["n1 default/chat-00001"]]);
  });

  test("messages wait for the call before them, the client for room, and nothing is lost", async () => {
    const waiting: Call[] = [];
    const { cluster } = await chat((made) => (made.event === "message" ? void waiting.push(made) : echo(made)), {
      webSocketQueueMax: 4,
    });
    const client = await new Client(cluster).opened();
    const sent = Array.from({ length: 300 }, (_, index) => `${index} ${"x".repeat(5_000)}`);
    for (const text of sent) client.socket.send(text);
    const heard: string[] = [];
    while (heard.length < sent.length) {
      await until(() => waiting.length > 0);
      expect(waiting.length).toBe(1);
      const made = waiting.pop()!;
      heard.push(made.body.toString());
      made.answer([]);
    }
    expect(heard).toEqual(sent);
  });

  test("bytes, several messages, state, a subprotocol and a close are the function's to say", async () => {
    const { cluster, calls } = await chat(({ event, state }) => {
      if (event === "open") return [{ accept: { protocol: "b" } }, { state: { name: "Zoë", n: 0 } }, { send: "hi" }];
      if (event === "message")
        return state?.includes('"n":0') === true
          ? [{ send: { base64: "AAH/" } }, { state: { n: 1 } }]
          : [{ send: "bye" }, { close: 4002, reason: "enough ".repeat(40) }, { send: "not this" }];
      return [];
    });
    const client = await new Client(cluster, ["a", "b"]).opened();
    expect(client.socket.protocol).toBe("b");
    client.socket.send(Buffer.from([1, 2, 255]));
    client.socket.send("again");
    await until(() => client.closed !== undefined);
    expect(client.said).toEqual(["hi", "0x0001ff", "bye"]);
    expect(client.closed?.code).toBe(4002);
    expect(client.closed?.reason).toMatch(/^(enough )+/);
    await until(() => calls.length === 4);
    expect(calls[1]?.state).toBe(String.raw`{"name":"Zo\u00eb","n":0}`);
    expect(header(calls[1]!.head, "content-type")).toBe("application/octet-stream");
    expect(calls[1]?.body).toEqual(Buffer.from([1, 2, 255]));
    expect(calls[2]?.state).toBe('{"n":1}');
  });

  test("topics and ids reach other connections of the same service, and no others", async () => {
    const { cluster, calls } = await chat(({ event, body }) => {
      if (event === "open") return [{ accept: {} }, { subscribe: "all" }];
      const [verb, to = ""] = body.toString().split(" ");
      if (verb === "publish") return [{ send: "news", topic: "all" }];
      if (verb === "to") return [{ send: "for you", to }];
      return verb === "leave" ? [{ unsubscribe: "all" }] : [];
    });
    const other = component(({ event }) => (event === "open" ? [{ accept: {} }, { subscribe: "all" }] : []));
    await cluster.wireService("other", other.handler);
    const [a, b] = [await new Client(cluster).opened(), await new Client(cluster).opened()];
    const stranger = await new Client(cluster, [], { headers: { host: "other.default.localhost" } }).opened();
    a.socket.send("publish");
    await until(() => b.said.length === 1);
    a.socket.send(`to ${calls[1]!.id}`);
    a.socket.send(`to ${other.calls[0]!.id}`);
    await until(() => b.said.length === 2);
    b.socket.send("leave");
    await until(() => calls.filter(({ event }) => event === "message").length === 4);
    a.socket.send("publish");
    b.socket.send(`to ${calls[0]!.id}`);
    await until(() => a.said.length === 1);
    expect([a.said, b.said, stranger.said]).toEqual([["for you"], ["news", "for you"], []]);
  });

  test("it stays with its revision while that gets requests, and goes to the next after that", async () => {
    const { cluster } = await chat(echo);
    const client = await new Client(cluster).opened();
    const second = component(({ event }) => (event === "message" ? [{ send: "from 2" }] : []));
    const pod = await cluster.wirePod(second.handler);
    const { cluster: known } = cluster.gateway;
    known.set("revisions", fakeRevision("chat-00002"));
    known.set("pods", fakePod("chat-00002-a", "chat-00002", { endpoint: pod.endpoint }));
    known.set(
      "routes",
      fakeRoute("chat", [
        { revisionName: "chat-00001", percent: 1 },
        { revisionName: "chat-00002", percent: 99 },
      ]),
    );
    client.socket.send("still 1");
    await until(() => client.said.length === 1);
    known.set("routes", fakeRoute("chat", [{ revisionName: "chat-00002", percent: 100 }]));
    client.socket.send("?");
    await until(() => client.said.length === 2);
    expect(client.said).toEqual(["still 1", "from 2"]);
  });

  test("a function that fails closes it with 1011, one that cannot be reached with 1013", async () => {
    const { cluster, calls } = await chat((made) => (made.event === "message" ? "fails" : echo(made)));
    const client = await new Client(cluster).opened();
    client.socket.send("x");
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(1011);
    await until(() => calls.at(-1)?.event === "close");
    const other = await new Client(cluster).opened();
    cluster.gateway.cluster.delete("pods", fakePod("chat-00001-a", "chat-00001"));
    cluster.gateway.cluster.delete("routes", fakeRoute("chat", []));
    other.socket.send("x");
    await until(() => other.closed !== undefined);
    expect([1011, 1013]).toContain(other.closed?.code);
  });

  test.each([
    ["no JSON", "nonsense\n"],
    ["no action", '{"jump":1}\n'],
    ["a code that is not the function's to say", '{"close":1006}\n'],
    ["too large a state", `{"state":"${"x".repeat(3_000)}"}\n`],
    ["accept once more", '{"accept":{}}\n'],
    ["a line without end", `{"send":"${"x".repeat(20_000)}`],
  ])("an answer that is none closes it with 1011: %s", async (_name, line) => {
    const cluster = await start({ webSocketMessageBytesMax: 1024, drainTimeoutMs: 100 });
    const { handler } = component(() => undefined);
    const wrapped: WireHandler = (head, stream) => {
      const inner = handler(head, stream);
      const end = (): void => {
        stream.respond({ status: 200, headers: ["content-type", type] });
        if (header(head, "x-shallop-websocket") === "message") stream.write(Buffer.from(line));
        stream.end();
      };
      return { ...inner, end };
    };
    await cluster.wireService("chat", wrapped);
    const client = await new Client(cluster).opened();
    client.socket.send("x");
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(1011);
  });

  test("at a stop what has come is still told, and the client hears 1012", async () => {
    const waiting: Call[] = [];
    const { cluster, told } = await chat((made) => (made.event === "message" ? void waiting.push(made) : echo(made)), {
      drainTimeoutMs: 10_000,
    });
    const client = await new Client(cluster).opened();
    client.socket.send("one");
    await until(() => waiting.length === 1);
    const closing = cluster.gateway.close();
    waiting[0]?.answer([{ send: "done" }]);
    await closing;
    await until(() => client.closed !== undefined);
    expect([client.said, client.closed?.code]).toEqual([["done"], 1012]);
    expect(told()).toEqual(["open", "message", "close"]);
  });
});

describe("who may open one", () => {
  test("a function that answers otherwise is answered so; one that speaks HTTP only has no WebSocket", async () => {
    const cluster = await start();
    const answering =
      (status: number): WireHandler =>
      (_head, stream) => ({
        data: () => undefined,
        end: () => {
          stream.respond({ status, headers: ["content-type", "text/plain"] });
          stream.write(Buffer.from("plain"));
          stream.end();
        },
        failed: () => undefined,
      });
    await cluster.wireService("chat", answering(403));
    const refused = new Client(cluster);
    await until(() => refused.status !== undefined);
    await cluster.wireService("plain", answering(200));
    const plain = new Client(cluster, [], { headers: { host: "plain.default.localhost" } });
    await until(() => plain.status !== undefined);
    expect([refused.status, plain.status]).toEqual([403, 501]);
    expect(cluster.gateway.status().webSockets).toBe(0);
  });

  test("nobody from outside can make an event up", async () => {
    const { cluster, calls } = await chat(() => []);
    const answer = await call(cluster, "chat", {
      method: "POST",
      body: "forged",
      headers: { "x-shallop-websocket": "message", "x-shallop-websocket-id": "any", "X-Shallop-Websocket-State": "{}" },
    });
    expect(answer.status).toBe(200);
    expect(calls.map(({ event, id, state }) => [event, id, state])).toEqual([["", "", undefined]]);
  });

  test("pages of origins that the revision does not name, and more than there may be, are refused", async () => {
    const cluster = await start({ webSocketsPerServiceMax: 1, drainTimeoutMs: 100 });
    const { handler, calls } = component(echo);
    await cluster.wireService("chat", handler);
    const revision = fakeRevision("chat-00001");
    const annotations = { "websocket.shallop.dev/origins": "https://app.example.com, https://b.example.com" };
    cluster.gateway.cluster.set("revisions", { ...revision, metadata: { ...revision.metadata, annotations } });
    const evil = new Client(cluster, [], { origin: "https://evil.example.com" });
    await until(() => evil.status !== undefined);
    const good = await new Client(cluster, [], { origin: "https://app.example.com" }).opened();
    const second = new Client(cluster);
    await until(() => second.status !== undefined);
    expect([evil.status, second.status, calls.length]).toEqual([403, 503, 1]);
    good.socket.close();
    await until(() => cluster.gateway.status().webSockets === 0);
    await new Client(cluster).opened();
  });

  test.each([
    ["version 8", { "sec-websocket-version": "8" }, 426],
    ["no key", { "sec-websocket-key": "short" }, 400],
  ])("a handshake with %s is refused before the function is asked", async (_name, headers, status) => {
    const { cluster, calls } = await chat(echo);
    const handshake = {
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    };
    const lines = Object.entries(handshake).map(([name, value]) => `${name}: ${value}\r\n`);
    const raw = cluster
      .connect()
      .send(`GET / HTTP/1.1\r\nhost: chat.default.localhost\r\nconnection: upgrade\r\n${lines.join("")}\r\n`);
    expect(await raw.ended()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(calls).toEqual([]);
  });
});

describe("clients that do wrong", () => {
  const frame = (first: number, payload: Buffer, isMasked = true): Buffer =>
    Buffer.concat([
      Buffer.from([first, payload.length | (isMasked ? 0x80 : 0)]),
      Buffer.alloc(isMasked ? 4 : 0),
      payload,
    ]);

  test.each([
    ["text that is no UTF-8", [frame(0x81, Buffer.from([0xc3, 0x28]))], 1007],
    [
      "half a character at the end of the last piece",
      [frame(0x01, Buffer.from("a")), frame(0x80, Buffer.from([0xc3]))],
      1007,
    ],
    ["a frame without a mask", [frame(0x81, Buffer.from("a"), false)], 1002],
    ["a piece that continues nothing", [frame(0x80, Buffer.from("a"))], 1002],
    ["a control frame in pieces", [frame(0x09, Buffer.from("a"))], 1002],
    ["a reserved bit", [frame(0xc1, Buffer.from("a"))], 1002],
    ["a reserved opcode", [frame(0x83, Buffer.from("a"))], 1002],
    ["a close code that nobody may send", [frame(0x88, Buffer.from([0x03, 0xed]))], 1002],
    ["a reason that is no UTF-8", [frame(0x88, Buffer.from([0x03, 0xe8, 0xc3, 0x28]))], 1007],
  ])("%s", async (_name, frames, code) => {
    const { cluster, told } = await chat(echo);
    const client = await new Client(cluster).opened();
    client.raw.write(Buffer.concat(frames));
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(code);
    await until(() => told().at(-1) === "close");
    expect(told()).toEqual(["open", "close"]);
  });

  test("pieces with a ping between them are one message, a character may be cut in two, and the ping is answered", async () => {
    const { cluster } = await chat(echo);
    const client = await new Client(cluster).opened();
    let pong = "";
    client.socket.on("pong", (data) => (pong = data.toString()));
    client.raw.write(frame(0x01, Buffer.from([0x5a, 0x6f, 0xc3])));
    client.raw.write(frame(0x89, Buffer.from("there?")));
    client.raw.write(frame(0x80, Buffer.from([0xab])));
    await until(() => client.said.length === 1 && pong !== "");
    expect([client.said, pong]).toEqual([["Zoë"], "there?"]);
  });

  test("a message that is too large is 1009, as one frame or in pieces", async () => {
    const { cluster } = await chat(echo, { webSocketMessageBytesMax: 1000 });
    const whole = await new Client(cluster).opened();
    whole.socket.send(Buffer.alloc(1001));
    const pieces = await new Client(cluster).opened();
    for (let piece = 0; piece < 11; piece++) pieces.socket.send(Buffer.alloc(100), { fin: false });
    await until(() => whole.closed !== undefined && pieces.closed !== undefined);
    expect([whole.closed?.code, pieces.closed?.code]).toEqual([1009, 1009]);
    const fits = await new Client(cluster).opened();
    fits.socket.send("x".repeat(1000));
    await until(() => fits.said.length === 1);
  });

  test("one that does not read what others say is given up, and they go on", async () => {
    const { cluster } = await chat(
      ({ event, body }) =>
        event === "open"
          ? [{ accept: {} }, { subscribe: "all" }]
          : event === "message"
            ? [{ send: body.toString(), topic: "all" }]
            : [],
      { webSocketBehindBytesMax: 64 * 1024 },
    );
    const slow = await new Client(cluster).opened();
    slow.raw.pause();
    const [fast, speaker] = [await new Client(cluster).opened(), await new Client(cluster).opened()];
    const text = "x".repeat(512 * 1024);
    let sent = 0;
    while (cluster.gateway.status().webSockets === 3) {
      speaker.socket.send(text);
      sent++;
      await until(() => fast.said.length === sent);
    }
    expect(fast.closed).toBe(undefined);
  });

  test("one that answers no ping is ended, and the function hears 1006", async () => {
    const { cluster, calls } = await chat(echo, { webSocketPingMs: 300 });
    const dead = await new Client(cluster, [], { autoPong: false }).opened();
    const alive = await new Client(cluster).opened();
    await until(() => dead.closed !== undefined);
    await until(() => calls.at(-1)?.event === "close");
    expect(header(calls.at(-1)!.head, "x-shallop-websocket-code")).toBe("1006");
    expect(alive.closed).toBe(undefined);
  });

  test("one that had no chance to answer, because nobody had a processor, is not ended", async () => {
    const { cluster } = await chat(echo, { webSocketPingMs: 100 });
    const client = await new Client(cluster).opened();
    let pings = 0;
    client.socket.on("ping", () => pings++);
    for (let stall = 0; stall < 2; stall++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      const before = pings;
      await until(() => pings > before || client.closed !== undefined);
    }
    expect(client.closed).toBe(undefined);
  });
});

describe("what a function says to WebSockets while it answers an ordinary request", () => {
  const line = (action: object): string => `${JSON.stringify(action)}\n`;

  /** A chat whose connections subscribe to `news`; other requests are answered with these bytes, a few at a time. */
  async function shop(said: string, body: string, head: { status?: number; said?: string; length?: number } = {}) {
    const { handler } = component(({ event }) => (event === "open" ? [{ accept: {} }, { subscribe: "news" }] : []));
    const cluster = await start({ drainTimeoutMs: 100 });
    const seen: boolean[] = [];
    await cluster.wireService("chat", (asked, stream) => {
      if (header(asked, "x-shallop-websocket") !== undefined) return handler(asked, stream);
      seen.push(header(asked, "x-shallop-websocket-heard") === "1");
      return {
        data: (chunk) => stream.consumed(chunk.length),
        end: () => {
          const { status = 200, length } = head;
          const headers = ["x-shallop-websocket-said", head.said ?? String(Buffer.byteLength(said))];
          if (length !== undefined) headers.push("content-length", String(length));
          stream.respond({ status, headers });
          const bytes = Buffer.from(`${said}${body}`);
          for (let at = 0; at < bytes.length; at += 7) stream.write(bytes.subarray(at, at + 7));
          stream.end();
        },
        failed: () => undefined,
      };
    });
    return { cluster, seen };
  }

  const news = line({ send: "sold", topic: "news" });

  test.each([
    ["a body of a known length", "thanks", { length: news.length + 6 }, { status: 200, body: "thanks" }],
    ["a body without one", "thanks", {}, { status: 200, body: "thanks" }],
    ["another status", "gone", { status: 410 }, { status: 410, body: "gone" }],
    ["no body", "", { said: `${news.length} 204` }, { status: 204, body: "" }],
  ])("reaches them, and not its client: %s", async (_name, body, head, expected) => {
    const { cluster, seen } = await shop(news, body, head);
    const client = await new Client(cluster).opened();
    const answer = await call(cluster, "chat", { method: "POST", body: "buy" });
    expect(answer).toMatchObject(expected);
    expect(answer.headers["x-shallop-websocket-said"]).toBeUndefined();
    await until(() => client.said.length === 1);
    expect([client.said, seen]).toEqual([["sold"], [true]]);
  });

  test("nobody is told that could not hear", async () => {
    const { cluster, seen } = await shop(news, "thanks");
    expect((await call(cluster, "chat")).body).toBe("thanks");
    await cluster.wireService("other", () => {
      throw new Error("not asked");
    });
    expect(seen).toEqual([false]);
  });

  test.each([
    ["what only a connection's own call may do", line({ subscribe: "news" }), {}],
    ["a message to nobody", line({ send: "x" }), {}],
    ["no JSON", "{\n", {}],
    ["more than it says", news, { said: "999" }],
    ["a length that is none", news, { said: "-1" }],
    ["a status that has a body", news, { said: `${news.length} 500` }],
  ])("%s is an answer that is none", async (_name, said, head) => {
    const { cluster } = await shop(said, "thanks", head);
    const client = await new Client(cluster).opened();
    const { status, body } = await call(cluster, "chat");
    expect([status, body]).toEqual([502, expect.stringContaining("ANSWER_INVALID")]);
    expect(client.socket.readyState).toBe(WsClient.OPEN);
  });
});
