import { request as httpsRequest } from "node:https";
import { seededRandom } from "@shallop/sdk/internal/testing";
import type { LiveGateway, PeerMessage } from "@shallop/sdk/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { FakeAuthority } from "../agent.fake.ts";
import { call, start, until } from "../client.fake.ts";
import { fakePod, fakeRevision, fakeRoute, type FakeCluster, saying, type WireHandler } from "../gateway.fake.ts";
import { toService, trafficPolicy } from "../route/routing.fixture.ts";
import { PeerClient } from "./peer-client.ts";
import { PeerServer } from "./peer-server.ts";

// Gateways with all that lies between them; in place of the control plane is a list of those that live.

type Tls = Awaited<ReturnType<FakeAuthority["issue"]>>;

class Gateways {
  readonly live = new Map<string, LiveGateway>();
  readonly tls: Tls;
  #made = 0;

  constructor(tls: Tls) {
    this.tls = tls;
  }

  static async open(): Promise<Gateways> {
    return new Gateways(await (await FakeAuthority.create()).issue("O=shallop:gateway"));
  }

  async add() {
    const client = new PeerClient(this.tls);
    let reports = 0;
    const cluster = await start(
      { drainTimeoutMs: 100 },
      {
        random: seededRandom(++this.#made),
        sendToPeer: (address, messages, signal) => client.send(address, messages, signal),
        sendReport: ({ gateway, peerAddress, isLeaving }) => {
          if (isLeaving === true) this.live.delete(gateway);
          else this.live.set(gateway, { name: gateway, ...(peerAddress === undefined ? {} : { peerAddress }) });
          reports++;
          return Promise.resolve({ gateways: [...this.live.values()] });
        },
      },
    );
    onTestFinished(() => client.close());
    const listen = async () => {
      const hear = (message: PeerMessage): void => cluster.gateway.hearPeer(message);
      const server = new PeerServer({ tls: this.tls, bodyBytesMax: 100_000, hear });
      onTestFinished(() => server.close());
      const address = `127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
      cluster.gateway.announcePeerAddress(address);
      const isKnown = (): boolean => [...this.live.values()].some(({ peerAddress }) => peerAddress === address);
      return { server, isKnown };
    };
    const { server } = await listen();
    return { cluster, server, listen, reports: () => reports };
  }
}

/** Subscribes all to `news`; a message is published, or sent to the one whose id is before a colon; `/tell` publishes, too. */
const chat: WireHandler = (head, stream) => {
  const header = (name: string): string | undefined => head.headers[head.headers.indexOf(name) + 1];
  const event = head.headers.includes("x-shallop-websocket") ? header("x-shallop-websocket") : undefined;
  const chunks: Buffer[] = [];
  return {
    data: (chunk) => {
      chunks.push(Buffer.from(chunk));
      stream.consumed(chunk.length);
    },
    end: () => {
      const text = Buffer.concat(chunks).toString();
      const lines: object[] = [];
      if (event === "open")
        lines.push({ accept: {} }, { subscribe: "news" }, { send: header("x-shallop-websocket-id") });
      else if (event === "message") {
        const [, id, rest] = /^([^:]+):(.*)$/.exec(text) ?? [];
        lines.push(id === undefined ? { send: text, topic: "news" } : { send: rest, to: id });
      }
      const said = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
      if (event !== undefined) {
        stream.respond({ status: 200, headers: ["content-type", "application/vnd.shallop.websocket"] });
        stream.write(Buffer.from(said));
        return stream.end();
      }
      const isHeard = head.headers.includes("x-shallop-websocket-heard");
      const news = isHeard && head.method !== "GET" ? `${JSON.stringify({ send: text, topic: "news" })}\n` : "";
      stream.respond({
        status: 200,
        headers: news === "" ? [] : ["x-shallop-websocket-said", String(Buffer.byteLength(news))],
      });
      stream.write(Buffer.from(`${news}${isHeard ? "heard" : "alone"}`));
      stream.end();
    },
    failed: () => undefined,
  };
};

/** The same service, with the same pod, at several gateways. */
async function serve(handler: WireHandler, ...clusters: readonly FakeCluster[]): Promise<void> {
  const [first, ...others] = clusters;
  const { endpoint } = await first!.wireService("chat", handler);
  for (const { gateway } of others) {
    gateway.cluster.set("revisions", fakeRevision("chat-00001"));
    gateway.cluster.set("routes", fakeRoute("chat", [{ revisionName: "chat-00001", percent: 100 }]));
    gateway.cluster.set("pods", fakePod("chat-00001-a", "chat-00001", { endpoint }));
  }
}

class Client {
  readonly socket: WebSocket;
  readonly said: string[] = [];

  constructor({ port }: FakeCluster) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: "chat.default.localhost" } });
    this.socket.on("message", (data: Buffer) => this.said.push(data.toString()));
    this.socket.on("error", () => undefined);
    onTestFinished(() => this.socket.terminate());
  }

  /** @returns its id, which the function tells it first */
  async opened(): Promise<string> {
    await until(() => this.said.length > 0);
    return this.said.shift() ?? "";
  }
}

const tell = (cluster: FakeCluster, body: string): ReturnType<typeof call> =>
  call(cluster, "chat", { method: "POST", body });

/** Two gateways that know each other. */
async function pair() {
  const gateways = await Gateways.open();
  const [a, b] = [await gateways.add(), await gateways.add()];
  await serve(chat, a.cluster, b.cluster);
  // Who has load reports soon, and hears of the others by that.
  await until(() => gateways.live.size === 2);
  const before = [a.reports(), b.reports()] as const;
  for (const { cluster } of [a, b]) await call(cluster, "chat");
  await until(() => a.reports() > before[0] && b.reports() > before[1]);
  return { gateways, a, b };
}

describe("several gateways", () => {
  test("what is published at one reaches WebSockets of another, and each of them once", async () => {
    const { a, b } = await pair();
    const [ann, bob, bea] = [new Client(a.cluster), new Client(b.cluster), new Client(b.cluster)];
    const [, bobsId] = [await ann.opened(), await bob.opened(), await bea.opened()];
    ann.socket.send("hello");
    await until(() => bob.said.length > 0 && bea.said.length > 0);
    // From a handler of ordinary requests, at either gateway; the client of that sees nothing of it.
    expect(await tell(a.cluster, "by a")).toMatchObject({ status: 200, body: "heard" });
    await until(() => bob.said.length > 1);
    expect((await tell(b.cluster, "by b")).body).toBe("heard");
    await until(() => ann.said.length > 1 && bob.said.length > 2);
    ann.socket.send(`${bobsId}:you alone`);
    await until(() => bob.said.length > 3);
    expect(ann.said).toEqual(["by a", "by b"]);
    expect(bob.said).toEqual(["hello", "by a", "by b", "you alone"]);
    expect(bea.said).toEqual(["hello", "by a", "by b"]);
  });

  test("one that is away costs its own clients messages, and nobody else; when it is back, it hears again", async () => {
    const { a, b } = await pair();
    const [ann, bob] = [new Client(a.cluster), new Client(b.cluster)];
    await Promise.all([ann.opened(), bob.opened()]);
    b.server.close();
    for (const text of ["one", "two"]) await tell(a.cluster, text);
    await until(() => ann.said.length === 2);
    const again = await b.listen();
    await until(() => again.isKnown());
    const before = a.reports();
    await until(() => a.reports() > before);
    await tell(a.cluster, "three");
    await until(() => bob.said.includes("three"));
    expect(bob.said.filter((text) => text === "three")).toHaveLength(1);
    expect(ann.said).toEqual(["one", "two", "three"]);
  });

  test("a rate holds for all of them together, and for the one that is left as a whole", async () => {
    const { a, b } = await pair();
    const rate = { rateLimits: [{ requests: 8, period: "1h", per: "Route" as const }] };
    for (const { cluster } of [a, b])
      cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", rate, toService("chat")));
    const passed = async (cluster: FakeCluster): Promise<number> => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => call(cluster, "chat")));
      return answers.filter(({ status }) => status === 200).length;
    };
    expect([await passed(a.cluster), await passed(b.cluster)]).toEqual([4, 4]);
    await b.cluster.gateway.close();
    const before = a.reports();
    await until(() => a.reports() > before);
    a.cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("q", rate, toService("chat")));
    a.cluster.gateway.cluster.delete("trafficPolicies", trafficPolicy("p", rate, toService("chat")));
    expect(await passed(a.cluster)).toBe(8);
  });

  test("a session that began at one stays with its pod at the other", async () => {
    const { a, b } = await pair();
    for (const name of ["b", "c", "d"]) {
      const { endpoint } = await a.cluster.wirePod(saying(name));
      for (const { cluster } of [a, b])
        cluster.gateway.cluster.set("pods", fakePod(`chat-00001-${name}`, "chat-00001", { endpoint }));
    }
    const session = { sessionPersistence: { sessionName: "sid" } };
    for (const { cluster } of [a, b])
      cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", session, toService("chat")));
    const first = await call(a.cluster, "chat");
    const cookie = first.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    for (let round = 0; round < 20; round++) {
      for (const { cluster } of [a, b])
        expect((await call(cluster, "chat", { headers: { cookie } })).body).toBe(first.body);
    }
  });
});

describe("where gateways speak to each other", () => {
  const post = (
    address: string,
    tls: Tls | undefined,
    { body, path = "/v1/messages" }: { readonly body: string; readonly path?: string },
  ) =>
    new Promise<number>((resolve, reject) => {
      const [host, port] = address.split(":");
      const request = httpsRequest({
        ...tls,
        host,
        port,
        path,
        method: "POST",
        agent: false,
        rejectUnauthorized: false,
      });
      request.once("error", reject);
      request.once("response", (response) => resolve(response.resume().statusCode ?? 0));
      request.end(body);
    });

  test("only gateways are heard, and only messages", async () => {
    const authority = await FakeAuthority.create();
    const tls = await authority.issue("O=shallop:gateway");
    const heard: PeerMessage[] = [];
    const server = new PeerServer({ tls, bodyBytesMax: 200, hear: (message) => heard.push(message) });
    onTestFinished(() => server.close());
    const address = `127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
    const good = JSON.stringify({ messages: [{ service: "default/chat", topic: "news", data: "x" }] });
    await expect(post(address, undefined, { body: good })).rejects.toThrow();
    const impostor = await (await FakeAuthority.create("CN=impostor")).issue("O=shallop:gateway");
    await expect(post(address, impostor, { body: good })).rejects.toThrow();
    expect(await post(address, await authority.issue("O=system:nodes"), { body: good })).toBe(403);
    expect(await post(address, tls, { body: good, path: "/v1/other" })).toBe(404);
    for (const body of [
      "",
      "{",
      "[]",
      '{"messages":1}',
      '{"messages":[null]}',
      '{"messages":[{"service":"a/b","data":"x"}]}',
    ])
      expect(await post(address, tls, { body })).toBe(400);
    const nonsense = [
      { service: 1, topic: "t", data: "x" },
      { service: "a/b", topic: 5, data: "x" },
      { service: "a/b", topic: "t", data: 7 },
    ];
    for (const one of nonsense)
      expect(await post(address, tls, { body: JSON.stringify({ messages: [one] }) })).toBe(400);
    for (const byteCount of [500, 2_000_000])
      expect(await post(address, tls, { body: good + " ".repeat(byteCount) })).toBe(413);
    expect(heard).toEqual([]);
    expect(await post(address, tls, { body: good })).toBe(204);
    expect(heard).toEqual([{ service: "default/chat", topic: "news", data: "x" }]);
  });
});
