import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { bodyOf } from "@shallop/sdk/http1";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { HttpExchange } from "./http-exchange.ts";
import { HttpListener } from "./http-listener.ts";
import { answerAll, type AnswerTable, answerTable } from "./open-answers.ts";
import { fieldRules, type ReceivedHead } from "./request-head.ts";

interface Seen {
  readonly head: ReceivedHead;
  readonly exchange: HttpExchange;
  body: string;
  trailers: readonly string[] | undefined;
  failed: boolean;
}

let clock: FakeClock;
let listener: HttpListener;
let port: number;
let seen: Seen[];
let answers: AnswerTable;
/** What is done with a request as soon as it is there. */
let serve: (request: Seen) => void;
const sockets = new Set<Socket>();

const hello = ({ exchange }: Seen): void => {
  exchange.respond({ status: 200, headers: ["content-type", "text/plain"], phasesMs: {} });
  exchange.write(Buffer.from("hello"));
  exchange.end();
};

beforeEach(async () => {
  seen = [];
  serve = hello;
  clock = new FakeClock();
  answers = answerTable();
  listener = new HttpListener({
    clock,
    random: seededRandom(1),
    answers,
    request: (head, exchange) => {
      const request: Seen = { head, exchange, body: "", trailers: undefined, failed: false };
      seen.push(request);
      exchange.handle({
        data: (chunk) => {
          request.body += chunk.toString("latin1");
          exchange.consumed(chunk.length);
        },
        end: (trailers) => (request.trailers = trailers),
        failed: () => (request.failed = true),
      });
      serve(request);
      exchange.uncork();
    },
  });
  port = await listener.listen({ host: "127.0.0.1", port: 0 });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  const closed = listener.close(0);
  await clock.advance(1);
  await closed;
});

class Client {
  readonly socket: Socket;
  text = "";

  constructor(toPort = port) {
    this.socket = connect({ port: toPort, host: "127.0.0.1", noDelay: true });
    sockets.add(this.socket);
    this.socket.setEncoding("latin1").on("data", (chunk: string) => (this.text += chunk));
    this.socket.on("error", () => undefined);
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  async until(text: string): Promise<string> {
    while (!this.text.includes(text)) await once(this.socket, "data");
    return this.text;
  }

  async ended(): Promise<string> {
    if (!this.socket.closed) await once(this.socket, "close");
    return this.text;
  }
}

const statuses = (text: string): string[] =>
  Array.from(text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status = ""]) => status);

describe("an answer", () => {
  test("that is complete at once says its length and leaves as one piece", async () => {
    const client = new Client();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    const text = await client.until("hello");
    expect(text).toMatch(
      /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/plain\r\ncontent-length: 5\r\ndate: .* GMT\r\nx-request-id: [\w-]+\r\n\r\nhello$/,
    );
  });

  test("that comes later is in chunks, with its trailers after it", async () => {
    serve = ({ exchange }) => exchange.respond({ status: 200, headers: [], phasesMs: {} });
    const client = new Client();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await client.until("transfer-encoding: chunked");
    seen[0]!.exchange.write(Buffer.from("hello"));
    await client.until("5\r\nhello\r\n");
    seen[0]!.exchange.write(Buffer.alloc(20_000, "x"));
    seen[0]!.exchange.end(["a", "b", "evil", "x\r\ny: z"]);
    expect(await client.until("\r\n0\r\n")).toContain(`4e20\r\n${"x".repeat(20_000)}\r\n0\r\na: b\r\n\r\n`);
  });

  describe("that another thread gives", () => {
    const answer = (_: number, isHead: boolean): Buffer => Buffer.from(isHead ? "head" : "whole");

    test.each([
      { method: "GET", text: "whole" },
      { method: "HEAD", text: "head" },
    ])("to $method are the only ones", async ({ method, text }) => {
      serve = () => undefined;
      const client = new Client();
      client.send(`${method} / HTTP/1.1\r\nhost: x\r\n\r\n`);
      await vi.waitUntil(() => seen.length === 1);
      expect(answerAll(answers, answer)).toBe(1);
      expect(answerAll(answers, answer)).toBe(0);
      hello(seen[0]!);
      expect(await client.ended()).toBe(text);
    });

    test("come to who has sent what nobody has read, and to nobody else", async () => {
      const [asks, waits] = [new Client(), new Client()];
      for (const client of [asks, waits]) {
        client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        await client.until("hello");
        client.text = "";
      }
      asks.send("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n");
      expect(answerAll(answers, answer)).toBe(1);
      await asks.until("head");
      expect(waits.text).toBe("");
      expect(seen).toHaveLength(2);
    });

    test("come no more when the answer has begun", async () => {
      serve = ({ exchange }) => exchange.respond({ status: 200, headers: [], phasesMs: {} });
      const client = new Client();
      client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
      await client.until("\r\n\r\n");
      expect(answerAll(answers, answer)).toBe(0);
    });
  });

  test("to HTTP/1.0 of unknown length ends with the connection", async () => {
    serve = ({ exchange }) => exchange.respond({ status: 200, headers: [], phasesMs: {} });
    const client = new Client();
    client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    await client.until("connection: close");
    seen[0]!.exchange.write(Buffer.from("hello"));
    seen[0]!.exchange.end();
    expect(await client.ended()).toMatch(/\r\n\r\nhello$/);
  });

  test.each([
    { method: "HEAD", status: 200, absent: /content-length|chunked/ },
    { method: "GET", status: 204, absent: /content-length|chunked/ },
    { method: "GET", status: 304, absent: /chunked/ },
  ])("to $method with $status has no body", async ({ method, status, absent }) => {
    serve = ({ exchange }) => {
      exchange.respond({ status, headers: status === 204 ? ["content-length", "5"] : [], phasesMs: {} });
      exchange.end();
    };
    const client = new Client();
    client.send(`${method} / HTTP/1.1\r\nhost: x\r\n\r\n`);
    const text = await client.until("\r\n\r\n");
    expect(text).not.toMatch(absent);
  });

  test("that would be two to its reader is none", async () => {
    serve = ({ exchange }) => {
      exchange.respond({ status: 200, headers: ["a", "b\r\nc: d"], phasesMs: {} });
      exchange.end();
    };
    const client = new Client();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(statuses(await client.until("request id"))).toEqual(["502"]);
  });

  test("that has begun and cannot be completed is cut off", async () => {
    serve = ({ exchange }) => exchange.respond({ status: 200, headers: [], phasesMs: {} });
    const client = new Client();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await client.until("chunked");
    seen[0]!.exchange.abort("GUEST_FAILED");
    expect(await client.ended()).not.toContain("0\r\n\r\n");
  });
});

describe("requests", () => {
  test("of one connection come one after the other, whatever pieces they come in", async () => {
    const one = "POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    const two = "\r\nPOST /2 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nt: u\r\n\r\n";
    const three = "GET /3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for (const size of [1, 7, 1000]) {
      seen = [];
      const client = new Client();
      const all = one + two + three;
      for (let at = 0; at < all.length; at += size) {
        client.send(all.slice(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(statuses(await client.ended())).toEqual(["200", "200", "200"]);
      expect(seen.map(({ head }) => head.target)).toEqual(["/1", "/2", "/3"]);
    }
  });

  test("a body reaches whoever waits for it, and its end too", async () => {
    serve = () => undefined;
    const client = new Client();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab");
    while (seen[0]?.body !== "ab") await new Promise((resolve) => setImmediate(resolve));
    client.send("cde");
    while (seen[0].trailers === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(seen[0].body).toBe("abcde");
    hello(seen[0]);
    await client.until("hello");
  });

  test("that wait for leave to send a body get it", async () => {
    serve = () => undefined;
    const client = new Client();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    expect(await client.until("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    while (seen[0]?.trailers === undefined) await new Promise((resolve) => setImmediate(resolve));
    hello(seen[0]);
    expect(statuses(await client.until("hello"))).toEqual(["100", "200"]);
  });

  test("whose client leaves are given up", async () => {
    serve = () => undefined;
    const client = new Client();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client.socket.destroy();
    while (!seen[0]!.failed) await new Promise((resolve) => setImmediate(resolve));
    expect(seen[0]!.exchange.closed).toBe(true);
  });

  test("that are sent while another is answered wait within a bound", async () => {
    serve = () => undefined;
    const client = new Client();
    const request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    client.send(request.repeat(1_000_000));
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(seen).toHaveLength(1);
    serve = hello;
    hello(seen[0]!);
    while (seen.length < 2000) await new Promise((resolve) => setImmediate(resolve));
  });

  test("that wait behind another one are read on with their bodies", async () => {
    serve = () => undefined;
    const client = new Client();
    const next = `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n${"x".repeat(1_000_000)}`;
    client.send(`GET / HTTP/1.1\r\nhost: x\r\n\r\n${next}`);
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    hello(seen[0]!);
    while (seen[1]?.trailers === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(seen[1].body).toHaveLength(1_000_000);
  });

  test("that are broken in their body fail, and nothing after them is read", async () => {
    serve = () => undefined;
    const client = new Client();
    client.send(
      "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    expect(statuses(await client.ended())).toEqual(["400"]);
    expect(seen.map(({ failed }) => failed)).toEqual([true]);
  });

  test.each([
    { text: "GET / HTTP/1.1\nhost: x\n\n", status: "400" },
    { text: "nonsense\r\n\r\n", status: "400" },
    { text: `GET /${"x".repeat(20_000)}`, status: "414" },
    { text: `GET / HTTP/1.1\r\nhost: x\r\na: ${"x".repeat(20_000)}`, status: "431" },
    { text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: "505" },
    { text: "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nexpect: more\r\n\r\n", status: "417" },
  ])("$status", async ({ text, status }) => {
    const client = new Client();
    client.send(`${text}GET / HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect(statuses(await client.ended())).toEqual([status]);
    expect(client.text).toContain("connection: close");
    expect(seen).toEqual([]);
  });

  test("that are answered before their body has come are followed by the next one, or by the end", async () => {
    const client = new Client();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n");
    await client.until("hello");
    client.send(`${"x".repeat(500_000)}GET / HTTP/1.1\r\nhost: x\r\n\r\n`);
    while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const large = new Client();
    large.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n");
    await large.until("hello");
    large.send("x".repeat(2_000_000));
    await large.ended();
  });
});

describe("connections", () => {
  test("that say nothing, or take too long to, are ended", async () => {
    const idle = new Client();
    const slow = new Client();
    await Promise.all([once(idle.socket, "connect"), once(slow.socket, "connect")]);
    await new Promise<void>((resolve) => slow.socket.write("GET / HT", () => resolve()));
    // When one that came after it is answered, the beginning has been read.
    const later = new Client();
    later.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await later.until("hello");
    await clock.advance(32_000);
    expect(statuses(await slow.ended())).toEqual(["408"]);
    expect(idle.socket.closed).toBe(false);
    await clock.advance(45_000);
    await idle.ended();
  });

  test("that are idle end when the server does, and others when they are answered", async () => {
    const idle = new Client();
    idle.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await idle.until("hello");
    serve = () => undefined;
    const busy = new Client();
    busy.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const closed = listener.close(10_000);
    await idle.ended();
    hello(seen[1]!);
    expect(await busy.ended()).toContain("connection: close");
    await closed;
  });
});

describe("beside node:http", () => {
  let oracle: Server;

  beforeEach(async () => {
    oracle = createServer((request, response) => {
      let body = "";
      request.setEncoding("latin1").on("data", (text: string) => (body += text));
      request.on("end", () => response.end(JSON.stringify([request.method, request.url, body])));
    });
    await once(oracle.listen(0, "127.0.0.1"), "listening");
  });
  afterEach(() => {
    oracle.closeAllConnections();
    oracle.close();
  });

  // Each is one that smuggles a second request past a parser that reads it otherwise.
  const field = [
    "content-length: 4",
    "content-length: 11",
    "transfer-encoding: chunked",
    "Transfer-Encoding : chunked",
  ];
  const more = ["transfer-encoding:\tchunked", "transfer-encoding: x\r\n chunked", "content-length:\u00a04", "x: y"];
  const bodies = ["0\r\n\r\n", "4\r\nabcd\r\n0\r\n\r\n", "4\nabcd\n0\n\n", "abcd"];
  // So that each ends, however it is read.
  const second = "GET /two HTTP/1.1\r\nhost: x\r\n\r\n";
  const heads = [...field, ...more].flatMap((first) => [first, `${first}\r\n${field[0]}`, `${first}\r\n${field[2]}`]);

  test("takes nothing that llhttp refuses, and what both take is the same", async () => {
    serve = () => undefined;
    let compared = 0;
    for (const fields of heads) {
      for (const body of bodies) {
        const text = `POST /one HTTP/1.1\r\nhost: x\r\n${fields}\r\n\r\n${body}${second}`;
        seen = [];
        const ours = new Client();
        ours.send(text);
        while (seen[0]?.trailers === undefined && !/ (?:400|501) /.test(ours.text))
          await new Promise((resolve) => setImmediate(resolve));
        const [first] = seen;
        if (first?.trailers !== undefined && !first.failed) {
          // Of what comes after it llhttp may think what it likes.
          const { bodyBytes } = first.head;
          const nothing = { data: () => undefined, end: () => undefined };
          const taken = bodyBytes === 0 ? 0 : bodyOf(bodyBytes, nothing, fieldRules).push(Buffer.from(body + second));
          const theirs = new Client((oracle.address() as AddressInfo).port);
          theirs.send(text.slice(0, text.length - body.length - second.length + Number(taken)));
          expect(await theirs.until("\r\n\r\n"), text).toContain("200 OK");
          expect(await theirs.until("]"), text).toContain(JSON.stringify(["POST", "/one", first.body]));
          compared++;
        }
        ours.socket.destroy();
      }
    }
    expect(compared).toBeGreaterThan(10);
  });
});
