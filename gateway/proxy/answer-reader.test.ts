import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AnswerReader } from "./answer-reader.ts";

interface Read {
  readonly interims: number[];
  status: number | undefined;
  body: string;
  trailers: readonly string[] | undefined;
  problem: string | undefined;
  isPersistent: boolean;
}

/** Reads what a pod sends in pieces that end where `cuts` say, and then the end of its connection. */
function read(text: string, { method = "GET", cuts = [] as readonly number[], ends = false } = {}): Read {
  const seen: Read = {
    interims: [],
    status: undefined,
    body: "",
    trailers: undefined,
    problem: undefined,
    isPersistent: false,
  };
  const reader = new AnswerReader({
    informed: ({ status }) => seen.interims.push(status),
    answered: ({ status }) => (seen.status = status),
    received: (bytes) => (seen.body += bytes.toString("latin1")),
    ended: (trailers) => {
      seen.trailers = trailers;
      seen.isPersistent = reader.isPersistent;
    },
  });
  reader.expect(method);
  const bytes = Buffer.from(text, "latin1");
  let at = 0;
  for (const cut of [...cuts.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    if (cut > at) seen.problem ??= reader.push(bytes.subarray(at, cut));
    at = Math.max(at, cut);
  }
  if (ends && seen.problem === undefined) reader.connectionEnded();
  return seen;
}

describe("an answer", () => {
  test.each([
    { text: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", body: "hello", isPersistent: true },
    { text: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", body: "", isPersistent: true },
    {
      text: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
      body: "hello",
      isPersistent: false,
    },
    {
      text: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n",
      body: "hello",
      isPersistent: true,
    },
    // What nobody has asked for.
    { text: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!", body: "hello", isPersistent: false },
    { text: "HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello", body: "", isPersistent: false },
    { text: "HTTP/1.1 200 OK\r\n\r\nhello", body: "hello", isPersistent: false, ends: true },
  ])("$text", ({ text, body, isPersistent, ends = false }) => {
    expect(read(text, { ends })).toMatchObject({ body, isPersistent, problem: undefined });
  });

  test("to the end of the connection is not over before", () => {
    expect(read("HTTP/1.1 200 OK\r\n\r\nhello")).toMatchObject({ body: "hello", trailers: undefined });
  });

  test("that is cut short is never over", () => {
    const whole = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (let length = 0; length < whole.length; length++)
      expect(read(whole.slice(0, length), { ends: true }).trailers, `${length}`).toBeUndefined();
  });

  test("is the same in whatever pieces it comes", () => {
    const text =
      "HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
      '5;a="b"\r\nhello\r\n00A\r\n, world!!!\r\n0\r\nx: y\r\n\r\n';
    const whole = read(text);
    expect(whole).toMatchObject({ interims: [103, 100], body: "hello, world!!!", trailers: ["x", "y"] });
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 40 }), (cuts) => {
        expect(read(text, { cuts })).toEqual(whole);
      }),
    );
  });

  test("has bounds", () => {
    const long = `HTTP/1.1 200 OK\r\na: ${"x".repeat(70_000)}`;
    expect(read(long).problem).toMatch(/65536 bytes/);
    expect(read(`${long}\r\n\r\n`).problem).toMatch(/65536 bytes/);
    expect(read(`HTTP/1.1 200 OK\r\n${"a:\r\n".repeat(2001)}\r\n`).problem).toMatch(/HEAD_TOO_LARGE/);
    expect(read("HTTP/1.1 100 Go\r\n\r\n".repeat(33)).problem).toMatch(/32 interim answers/);
    expect(read("220 mail.example\r\n").problem).toMatch(/no answer/);
  });
});

describe("beside node:http", () => {
  let pod: Server;
  let text = "";
  beforeAll(async () => {
    pod = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(text, "latin1"));
    });
    await once(pod.listen(0, "127.0.0.1"), "listening");
  });
  afterAll(() => void pod.close());

  /** Status and body as llhttp has them; undefined when it refuses. */
  const asked = (): Promise<readonly [number, string] | undefined> =>
    new Promise((resolve) => {
      const { port } = pod.address() as AddressInfo;
      const asking = request({ port, host: "127.0.0.1", agent: false }, (response) => {
        let body = "";
        response.setEncoding("latin1").on("data", (piece: string) => (body += piece));
        response.on("error", () => resolve(undefined));
        response.on("end", () => resolve(response.complete ? [response.statusCode ?? 0, body] : undefined));
      });
      asking.on("error", () => resolve(undefined));
      asking.end();
    });

  const line = [
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No",
    "HTTP/1.1 304 No",
    "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK",
  ];
  const field = [
    "content-length: 4",
    "content-length: 04",
    "content-length: 4, 4",
    "transfer-encoding: chunked",
    "Transfer-Encoding : chunked",
    "transfer-encoding:\tchunked",
    "transfer-encoding: x\r\n chunked",
    "content-length:\u00a04",
    "transfer-encoding: gzip",
    "connection: close",
    "x: y\nz: a",
    "x:",
  ];
  const body = [
    "",
    "abcd",
    "4\r\nabcd\r\n0\r\n\r\n",
    "4\nabcd\n0\n\n",
    "0\r\n\r\n",
    "4;x\r\nabcd\r\n0\r\ny: z\r\n\r\n",
  ];

  const isOver = ({ trailers, problem }: Read): boolean => trailers !== undefined && problem === undefined;

  test("takes nothing that llhttp refuses, and what both take is the same", async () => {
    let compared = 0;
    const answers = fc.tuple(
      fc.constantFrom(...line),
      fc.uniqueArray(fc.constantFrom(...field), { maxLength: 2 }),
      fc.constantFrom(...body),
    );
    for (const [first, fields, rest] of fc.sample(answers, { numRuns: 300, seed: 1 })) {
      const all = `${[first, ...fields].join("\r\n")}\r\n\r\n${rest}`;
      // Of what follows an answer llhttp may think what it likes.
      const length = Array.from(all, (_, index) => index + 1).find((end) => isOver(read(all.slice(0, end))));
      text = length === undefined ? all : all.slice(0, length);
      const ours = read(text, { ends: true });
      if (!isOver(ours)) continue;
      expect(await asked(), JSON.stringify(text)).toEqual([ours.status, ours.body]);
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
  });
});
