// Before @peculiar/x509, which looks for it at import.
import "reflect-metadata";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PemConverter, X509CertificateGenerator } from "@peculiar/x509";
import { systemClock } from "@shallop/sdk/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EgressProxy } from "../../egress/egress-proxy.ts";
import { addressJudge } from "./address-judge.ts";
import { ProxiedEgress } from "./proxied-egress.ts";

const allowed = ["127.0.0.1"];
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

async function selfSigned(): Promise<{ readonly key: string; readonly cert: string }> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const name = "CN=service.test";
  const certificate = await X509CertificateGenerator.createSelfSigned({ name, keys, signingAlgorithm: algorithm });
  const key = PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { key, cert: certificate.toString("pem") };
}

const noKeepAlive = { enabled: false, idleSeconds: 7200, intervalSeconds: 75, count: 9 };

describe("ProxiedEgress", () => {
  let directory: string;
  let proxy: EgressProxy;
  let egress: ProxiedEgress;
  const servers: Server[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sh-egress-"));
    const resolve = (): Promise<{ address: string; family: number }[]> =>
      Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
    proxy = new EgressProxy({ clock: systemClock, resolve });
    await proxy.open(join(directory, "pod"), { allowed });
    egress = new ProxiedEgress(addressJudge({ allowed }), join(directory, "pod"), systemClock);
  });
  afterAll(async () => {
    await egress.close();
    await proxy[Symbol.asyncDispose]();
    for (const server of servers) server.close();
    await rm(directory, { recursive: true });
  });

  async function listen(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  const connect = (port: number, host = "127.0.0.1") =>
    egress.connectTcp({ host, port, bound: undefined, keepAlive: noKeepAlive });

  /** Not by iteration, which would destroy a socket that has still to answer. */
  async function textOf(socket: Socket): Promise<string> {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    socket.resume();
    await once(socket, "end");
    return text;
  }

  test("a connection carries both ways, and one way ends before the other", async () => {
    const port = await listen(
      createServer({ allowHalfOpen: true }, (socket) => {
        void textOf(socket).then((text) => socket.end(`heard ${text.length}`));
      }),
    );
    const outgoing = connect(port);
    const ends = await new Promise<{ readonly remote: { readonly port: number } }>((opened) => outgoing.onOpen(opened));
    expect(ends).toMatchObject({ local: { address: "127.0.0.1" }, remote: { address: "127.0.0.1", port } });
    outgoing.socket.end("x".repeat(3_000_000));
    expect(await textOf(outgoing.socket)).toBe("heard 3000000");
  });

  test.each([
    { what: "a port where nobody listens", host: "127.0.0.1", port: 1, code: "ECONNREFUSED" },
    { what: "an address that the proxy refuses", host: "127.0.0.2", port: 80, code: "PROHIBITED" },
  ])("$what is told as the system tells it", async ({ host, port, code }) => {
    const outgoing = connect(port, host);
    const [error] = (await once(outgoing.socket, "error").catch((thrown: unknown) => [thrown])) as [Error];
    expect(error).toMatchObject({ code });
  });

  test("a reader that does not read holds the other side back", async () => {
    let written = 0;
    const port = await listen(
      createServer((socket) => {
        const more = (): void => {
          while (written < 64e6 && socket.write(Buffer.alloc(65_536))) written += 65_536;
        };
        socket.on("drain", more).on("error", () => undefined);
        more();
      }),
    );
    const outgoing = connect(port);
    await new Promise((opened) => outgoing.onOpen(opened));
    await systemClock.sleep(300);
    const held = written;
    await systemClock.sleep(200);
    expect(written).toBe(held);
    expect(held).toBeLessThan(32e6);
    outgoing.socket.destroy();
  });

  test("TLS is spoken with the server itself: a certificate that nobody vouches for is refused here", async () => {
    let greeted = 0;
    const server = createHttps(await selfSigned(), (_, response) => response.end("hello"));
    server.on("tlsClientError", () => greeted++);
    const port = await listen(server);
    const { https } = await egress.agents();
    const get = (options: object): Promise<string> =>
      new Promise((resolve, reject) => {
        https
          .request({ agent: https.agent, host: "service.test", port, ...options }, (response) => {
            void textOf(response as unknown as Socket).then(resolve);
          })
          .once("error", reject)
          .end();
      });
    await expect(get({})).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    expect(await get({ rejectUnauthorized: false })).toBe("hello");
    expect(greeted).toBeLessThanOrEqual(1);
  });

  test("datagrams go to whom they are sent, and only those are heard", async () => {
    const peer = createSocket("udp4", (data, from) => peer.send(`pong ${data.toString()}`, from.port, from.address));
    await once(peer.bind(0, "127.0.0.1"), "listening");
    const datagrams = egress.openDatagrams({ family: 4, host: "0.0.0.0", port: 0 });
    const heard = Promise.withResolvers<string>();
    datagrams.start({ arrived: (data) => heard.resolve(Buffer.from(data).toString()), failed: heard.reject });
    datagrams.setOptions({ hopLimit: 3, receiveBytes: 65_536, sendBytes: undefined });
    datagrams.send(Buffer.from("1"), { address: "127.0.0.1", port: peer.address().port }, () => undefined);
    expect(await heard.promise).toBe("pong 1");
    expect(datagrams.local.port).toBeGreaterThan(0);
    let strangers = 0;
    const stranger = createSocket("udp4");
    stranger.send("x", datagrams.local.port, "127.0.0.1");
    datagrams.start({ arrived: () => strangers++, failed: () => undefined });
    await systemClock.sleep(50);
    expect(strangers).toBe(0);
    for (const socket of [peer, stranger]) socket.close();
    datagrams.close();
  });

  test("one connection too many is refused, and the next after it is not", async () => {
    await using small = new EgressProxy({
      clock: systemClock,
      bounds: { connectionsPerPodMax: 2, connectionsMax: 10, requestTimeoutMs: 1000 },
    });
    await small.open(join(directory, "small"), { allowed });
    const own = new ProxiedEgress(addressJudge({ allowed }), join(directory, "small"), systemClock);
    const port = await listen(createServer((socket) => void socket.on("error", () => undefined)));
    const open = (): ReturnType<typeof connect> =>
      own.connectTcp({ host: "127.0.0.1", port, bound: undefined, keepAlive: noKeepAlive });
    const first = [open(), open()];
    await Promise.all(first.map((one) => new Promise((opened) => one.onOpen(opened))));
    const third = open();
    const [error] = (await once(third.socket, "error").catch((thrown: unknown) => [thrown])) as [Error];
    expect(error).toMatchObject({ code: "LIMIT" });
    first[0]?.socket.destroy();
    await systemClock.sleep(50);
    await new Promise((opened) => open().onOpen(opened));
  });
});
