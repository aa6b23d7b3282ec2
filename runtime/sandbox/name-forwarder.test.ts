import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode, systemClock, systemRandom } from "@shallop/sdk/internal";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type ClusterNames, nameAnswer, type NameRecords } from "./name-answer.ts";
import { NameForwarder } from "./name-forwarder.ts";
import { noSuchName, parseQuestion } from "./name-question.ts";

/** A query, for an A record unless another type is given (RFC 1035, 4.1). */
function query(id: number, name: string, type = 1): Buffer {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}

test("a question is read, and nothing else of a message", () => {
  expect(parseQuestion(query(0x1234, "WWW.Example.com"))).toEqual({ id: 0x1234, name: "www.example.com", bytes: 33 });
});

test.each([
  ["empty", Buffer.alloc(0)],
  ["only a header", query(1, "a").subarray(0, 12)],
  ["cut in a label", query(1, "example").subarray(0, 15)],
  ["cut before the type", query(1, "a").subarray(0, 15)],
  ["an answer", Buffer.from(query(1, "a").map((byte, index) => (index === 2 ? 0x81 : byte)))],
  ["two questions", Buffer.from(query(1, "a").map((byte, index) => (index === 5 ? 2 : byte)))],
  ["a pointer", Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1])],
  ["a name that is too long", query(1, Array.from({ length: 6 }, () => "x".repeat(60)).join("."))],
])("%s is no question", (_, message) => {
  expect(parseQuestion(message)).toBeUndefined();
});

test("no bytes break it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const question = parseQuestion(bytes);
      if (question !== undefined) expect(noSuchName(bytes, question).length).toBe(question.bytes);
    }),
  );
});

/** A port that is free for datagrams may be somebody's for streams: then with another one. */
async function onFreePort<T>(open: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (errorCode(error) !== "EADDRINUSE" || tries === 10) throw error;
    }
  }
}

/** A server of streams that says again what it hears, on the port of `datagrams`. */
async function echoBeside(datagrams: Socket): Promise<Server> {
  datagrams.bind(0, "127.0.0.1");
  await once(datagrams, "listening");
  const streams = createServer((socket) => socket.pipe(socket)).listen(datagrams.address().port, "127.0.0.1");
  await once(streams, "listening");
  return streams;
}

const shop = "shop.team.svc.cluster.local";
const clusterNames: ClusterNames = {
  recordsOf: (name) =>
    new Map<string, NameRecords>([
      [shop, { addresses: ["10.96.0.1", "10.96.0.2"], services: [] }],
      ["short.team.svc.cluster.local", { addresses: [], services: [], alias: shop }],
      ["db.team.svc.cluster.local", { addresses: [], services: [], alias: "db.example.com" }],
      ["gone.team.svc.cluster.local", { addresses: [], services: [], alias: "gone.example.com" }],
      ["down.team.svc.cluster.local", { addresses: [], services: [], alias: "down.example.com" }],
      [`_web._tcp.${shop}`, { addresses: [], services: [{ name: "web", protocol: "TCP", port: 8080, target: shop }] }],
    ]).get(name),
};

const outside: Readonly<Record<string, Parameters<typeof nameAnswer>[2]["records"] | number>> = {
  "db.example.com": { addresses: ["93.184.216.34", "2001:4860::8888"], services: [] },
  "gone.example.com": 3,
  // REFUSED.
  "down.example.com": 5,
};

/** What is known of a name outside, and otherwise the question. */
function outsideAnswer(message: Buffer): Buffer {
  const question = parseQuestion(message);
  const known = outside[question?.name ?? ""];
  if (question === undefined || known === undefined) {
    const answer = Buffer.from(message);
    answer[2] = 0x81;
    return answer;
  }
  const none = { addresses: [], services: [] };
  const said = typeof known === "number" ? { records: none, code: known } : { records: known };
  return Buffer.from(nameAnswer(message, question, { ...said, turn: 0, bytesMax: 512 }));
}

/** A name server that knows few names, and answers other questions with the question, by both ways. */
async function upstream() {
  const seen: string[] = [];
  const { datagrams, streams } = await onFreePort(async () => {
    const socket = createSocket("udp4");
    try {
      return { datagrams: socket, streams: await echoBeside(socket) };
    } catch (error) {
      socket.close();
      throw error;
    }
  });
  datagrams.on("message", (message, from) => {
    seen.push(parseQuestion(message)?.name ?? "");
    datagrams.send(outsideAnswer(message), from.port, from.address);
  });
  const { port } = datagrams.address();
  const directory = await mkdtemp(join(tmpdir(), "shallop-names-"));
  const resolvConf = join(directory, "resolv.conf");
  await writeFile(resolvConf, "# a comment\nnameserver ::1\nnameserver 127.0.0.1\n");
  const forwarder = await onFreePort(() =>
    NameForwarder.open({
      ...{ address: "127.0.0.1", port: 0, resolvConf, upstreamPort: port },
      ...{ clock: systemClock, random: systemRandom, clusterNames },
    }),
  );
  const client = createSocket("udp4");
  return {
    seen,
    forwarder,
    ask: async (message: Uint8Array): Promise<Buffer> => {
      const answered = once(client, "message");
      client.send(message, forwarder.port, "127.0.0.1");
      const [answer] = (await answered) as [Buffer];
      return answer;
    },
    send: (message: Uint8Array) => client.send(message, forwarder.port, "127.0.0.1"),
    [Symbol.asyncDispose]: async () => {
      await forwarder[Symbol.asyncDispose]();
      client.close();
      datagrams.close();
      streams.close();
      await rm(directory, { recursive: true });
    },
  };
}

test("a question gets the answer of the machine's server, under its own id", async () => {
  await using names = await upstream();
  const answer = await names.ask(query(0x4242, "example.com"));
  expect(answer.readUInt16BE(0)).toBe(0x4242);
  expect(answer.subarray(3)).toEqual(query(0x4242, "example.com").subarray(3));
  expect(names.seen).toEqual(["example.com"]);
});

test("names of the cluster are not told to the outside: there is no such name", async () => {
  await using names = await upstream();
  const answer = await names.ask(query(7, "nobody.team.svc.Cluster.Local"));
  expect([answer.readUInt16BE(0), (answer[3] ?? 0) & 15, answer.readUInt16BE(6)]).toEqual([7, 3, 0]);
  expect(names.seen).toEqual([]);
});

test("names of Services are answered: addresses in turn, ports, and nothing for what they have not", async () => {
  await using names = await upstream();
  const addressesOf = async (): Promise<string[]> => {
    const answer = await names.ask(query(8, "shop.team.svc.cluster.local"));
    expect([answer[2], answer[3], answer.readUInt16BE(0)]).toEqual([0x85, 0x80, 8]);
    return Array.from({ length: answer.readUInt16BE(6) }, (_, index) =>
      [...answer.subarray(-16 * index - 4 || undefined, -16 * index || undefined)].join("."),
    ).toReversed();
  };
  expect([await addressesOf(), await addressesOf()]).toEqual([
    ["10.96.0.1", "10.96.0.2"],
    ["10.96.0.2", "10.96.0.1"],
  ]);
  // AAAA.
  const none = await names.ask(query(9, "shop.team.svc.cluster.local", 28));
  expect([none[3], none.readUInt16BE(6)]).toEqual([0x80, 0]);
  const service = await names.ask(query(10, "_web._tcp.shop.team.svc.cluster.local", 33));
  expect(service.readUInt16BE(6)).toBe(1);
  const data = service.subarray(service.length - 35);
  expect([data.readUInt16BE(4), data.subarray(7, 11).toString()]).toEqual([8080, "shop"]);
  expect(names.seen).toEqual([]);
});

/** The records of an answer, read by the rules of RFC 1035: owner, type, and what it says. */
function recordsOf(answer: Buffer): string[] {
  const name = (at: number): [string, number] => {
    const length = answer[at] ?? 0;
    if (length >= 0xc0) return [name(answer.readUInt16BE(at) & 0x3fff)[0], at + 2];
    if (length === 0) return ["", at + 1];
    const [rest, end] = name(at + 1 + length);
    return [[answer.toString("latin1", at + 1, at + 1 + length), rest].filter(Boolean).join("."), end];
  };
  let at = name(12)[1] + 4;
  return Array.from({ length: answer.readUInt16BE(6) }, () => {
    const [owner, end] = name(at);
    const [type, length] = [answer.readUInt16BE(end), answer.readUInt16BE(end + 8)];
    at = end + 10 + length;
    const data = answer.subarray(end + 10, at);
    return `${owner} ${type} ${type === 5 ? name(end + 10)[0] : data.toString(type === 1 ? "base64" : "hex")}`;
  });
}
const base64 = (address: string): string => Buffer.from(address.split(".").map(Number)).toString("base64");

test("an alias is told with what it leads to: in the cluster, or outside by what the machine's server knows", async () => {
  await using names = await upstream();
  const records = async (name: string, type = 1) => {
    const answer = await names.ask(query(11, `${name}.team.svc.cluster.local`, type));
    return [(answer[3] ?? 0) & 15, ...recordsOf(answer)];
  };
  const inside = (name: string): string => `${name}.team.svc.cluster.local`;
  expect(await records("short")).toEqual([
    ...[0, `${inside("short")} 5 ${shop}`],
    ...[`${shop} 1 ${base64("10.96.0.1")}`, `${shop} 1 ${base64("10.96.0.2")}`],
  ]);
  expect(names.seen).toEqual([]);
  const alias = `${inside("db")} 5 db.example.com`;
  expect(await records("db")).toEqual([0, alias, `db.example.com 1 ${base64("93.184.216.34")}`]);
  expect(await records("db", 28)).toEqual([0, alias, "db.example.com 28 20014860000000000000000000008888"]);
  // CNAME itself, and TXT.
  expect(await records("db", 5)).toEqual([0, alias]);
  expect(await records("db", 16)).toEqual([0, alias]);
  // No such name, and a server that does not answer.
  expect(await records("gone")).toEqual([3, `${inside("gone")} 5 gone.example.com`]);
  expect((await records("down"))[0]).toBe(2);
  expect(names.seen.every((name) => name.endsWith(".example.com"))).toBe(true);
});

test("nonsense gets no answer, and who asks too much waits; the next question is answered", async () => {
  await using names = await upstream();
  names.send(Buffer.from("nonsense"));
  expect((await names.ask(query(1, "first.example"))).readUInt16BE(0)).toBe(1);
  for (let id = 0; id < 300; id++) names.send(query(id, "many.example"));
  await expect.poll(() => names.seen.length).toBeGreaterThan(50);
  expect(names.seen.length).toBeLessThanOrEqual(200);
});

const framed = (message: Buffer): Buffer => Buffer.concat([Buffer.from([0, message.length]), message]);

test("over TCP names of Services are answered here, and the rest comes from the machine's server", async () => {
  await using names = await upstream();
  const socket = connect(names.forwarder.port, "127.0.0.1");
  const whole = framed(query(1, "shop.team.svc.cluster.local"));
  socket.write(whole.subarray(0, 5));
  socket.write(whole.subarray(5));
  const [own] = (await once(socket, "data")) as [Buffer];
  expect([own.readUInt16BE(0), own.readUInt16BE(8)]).toEqual([own.length - 2, 2]);
  // Two at once: the answers come as the questions did.
  const [alias, next] = [query(3, "db.team.svc.cluster.local"), query(4, "shop.team.svc.cluster.local")];
  socket.write(Buffer.concat([framed(alias), framed(next)]));
  let both = Buffer.alloc(0);
  while (both.length < 2 || both.length < 4 + both.readUInt16BE(0))
    both = Buffer.concat([both, ((await once(socket, "data")) as [Buffer])[0]]);
  const first = both.subarray(2, 2 + both.readUInt16BE(0));
  expect(recordsOf(first)).toHaveLength(2);
  expect([first.readUInt16BE(0), both.readUInt16BE(4 + first.length)]).toEqual([3, 4]);
  const other = framed(query(2, "example.com"));
  socket.write(other);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  expect(bytes.equals(other)).toBe(true);
  socket.destroy();
});

test("an alias whose addresses do not fit is asked for again over TCP", () => {
  const message = query(1, "many.team.svc.cluster.local");
  const records = { addresses: Array.from({ length: 100 }, (_, index) => `10.104.0.${index}`), services: [] };
  const told = { records, aliases: ["web.team.svc.cluster.local"], turn: 0, bytesMax: 512 };
  const answer = Buffer.from(nameAnswer(message, parseQuestion(message)!, told));
  expect([answer.length <= 512, (answer[2] ?? 0) & 0x02]).toEqual([true, 0x02]);
  expect(recordsOf(answer)[1]).toBe(`web.team.svc.cluster.local 1 ${base64("10.104.0.0")}`);
});

test("of many addresses those that fit are told", () => {
  const message = query(1, "many.team.svc.cluster.local");
  const question = parseQuestion(message)!;
  const addresses = Array.from({ length: 100 }, (_, index) => `10.104.0.${index}`);
  const records = { addresses, services: [] };
  const answer = Buffer.from(nameAnswer(message, question, { records, turn: 99, bytesMax: 512 }));
  expect(answer.length).toBeLessThanOrEqual(512);
  expect(answer.readUInt16BE(6)).toBe(Math.floor((512 - message.length) / 16));
  expect([...answer.subarray(message.length + 12, message.length + 16)]).toEqual([10, 104, 0, 99]);
});
