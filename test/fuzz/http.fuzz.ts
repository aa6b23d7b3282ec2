import { fieldRules, parseRequestHead, type ReceivedHead } from "../../runtime/standalone/http/request-head.ts";
import { AnswerReader } from "../../gateway/proxy/answer-reader.ts";
import { bodyOf } from "../../sdk/http1/index.ts";
import type { Random } from "../../sdk/internal/index.ts";
import { mutateBytes } from "./mutation.ts";

const heads = [
  "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
  "POST /a?b=%20c HTTP/1.1\r\nHost: a.b:80\r\nContent-Length: 12\r\nExpect: 100-continue\r\nX-Y: z\r\n\r\n",
  "PUT http://[::1]:8080/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close, te\r\ncookie: a=b; c=d\r\n\r\n",
  "OPTIONS * HTTP/1.0\r\nconnection: keep-alive\r\naccept:\t*/*\t\r\n\r\n",
];
const bodies = [
  "5\r\nhello\r\n0\r\n\r\n",
  '00A;a=b;c="d"\r\n0123456789\r\n1\r\nx\r\n0\r\nName: value\r\nother: value\r\n\r\nGET / HTTP/1.1\r\n\r\n',
];
const answers = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-y: z\r\n\r\nhello",
  "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\na: b\r\n\r\n",
  "HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nnobody knows how long it is",
];

/**
 * Gives the HTTP parser so many mutations of heads, of bodies in chunks and of answers. @throws Error with the bytes, in base64, at the first of which
 * it makes what no message may be, or another thing when they come in pieces
 */
export function fuzzHttp(random: Random, iterations: number): { readonly accepted: number } {
  let accepted = 0;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const { what, seeds, isGood } = kinds[iteration % kinds.length] ?? kinds[0];
    const bytes = mutateBytes(random, Buffer.from(seeds[random.below(seeds.length)] ?? "", "latin1"));
    try {
      if (isGood(bytes, random)) accepted++;
    } catch (error) {
      throw new Error(`${what}: ${bytes.toString("base64")}`, { cause: error });
    }
  }
  return { accepted };
}

function isGoodHead(bytes: Buffer): boolean {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const head = parseRequestHead(text.slice(0, end + 4));
  if (typeof head === "string") return false;
  holdHead(head);
  return true;
}

function holdHead({ method, target, authority, headers, bodyBytes }: ReceivedHead): void {
  hold(/^[!#-'*+\-.^_`|~\w]{1,32}$/.test(method), "the method is no token");
  hold(/^(?:\/[!-~]*|\*)$/.test(target) && !target.includes("#"), "the target is none");
  hold(!/[\s/@]/.test(authority), "the authority is none");
  hold(headers.length % 2 === 0, "a field has no value");
  headers.forEach((text, at) => {
    if (at % 2 === 0) hold(/^[!#-'*+\-.^_`|~\w]+$/.test(text) && text === text.toLowerCase(), "a name is none");
    else hold(!/[\0\r\n]|^[ \t]|[ \t]$/.test(text), "a value is none");
  });
  const lengths = headers.filter((_, at) => headers[at - 1] === "content-length" && at % 2 === 1);
  hold(lengths.length <= 1, "there are two lengths");
  hold(lengths.length === 0 || bodyBytes === Number(lengths[0]), "the length is another");
}

function inPiecesOf(bytes: Buffer, random: Random): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.below(12);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

function isGoodBody(bytes: Buffer, random: Random): boolean {
  const whole = read([bytes]);
  const inPieces = read(inPiecesOf(bytes, random));
  // One that is refused may have given away more of it before when it came in pieces; what it gave is the same.
  hold(whole.isRefused === inPieces.isRefused, "it is refused in one way only");
  if (!whole.isRefused) hold(JSON.stringify(whole) === JSON.stringify(inPieces), "pieces change it");
  return whole.isOver;
}

function read(pieces: readonly Buffer[]): {
  readonly data: string;
  readonly trailers: readonly string[];
  readonly taken: number;
  readonly isOver: boolean;
  readonly isRefused: boolean;
} {
  let data = "";
  let trailers: readonly string[] = [];
  let taken = 0;
  const handlers = {
    data: (bytes: Buffer) => (data += bytes.toString("latin1")),
    end: (given: readonly string[]) => (trailers = given),
  };
  const body = bodyOf("chunked", handlers, fieldRules);
  for (const piece of pieces) {
    if (body.isOver) break;
    const count = body.push(piece);
    if (typeof count === "string") return { data, trailers, taken, isOver: false, isRefused: true };
    taken += count;
  }
  return { data, trailers, taken, isOver: body.isOver, isRefused: false };
}

function isGoodAnswer(bytes: Buffer, random: Random): boolean {
  const whole = readAnswer([bytes]);
  const inPieces = readAnswer(inPiecesOf(bytes, random));
  hold(whole.isRefused === inPieces.isRefused, "it is refused in one way only");
  if (!whole.isRefused) hold(JSON.stringify(whole) === JSON.stringify(inPieces), "pieces change it");
  hold(!whole.isOver || whole.status === 101 || whole.status >= 200, "the status is none");
  return whole.isOver;
}

function readAnswer(pieces: readonly Buffer[]): {
  readonly status: number;
  readonly data: string;
  readonly isOver: boolean;
  readonly isRefused: boolean;
} {
  const seen = { status: 0, data: "", isOver: false, isRefused: false };
  const reader = new AnswerReader({
    informed: ({ status }) => hold(status < 200, "an answer is taken for an interim one"),
    answered: ({ status }) => (seen.status = status),
    received: (bytes) => (seen.data += bytes.toString("latin1")),
    ended: () => (seen.isOver = true),
  });
  reader.expect("GET");
  for (const piece of pieces) {
    // What follows an answer is nobody's.
    if (seen.isOver) break;
    if (reader.push(piece) !== undefined) return { ...seen, isRefused: true };
  }
  if (!seen.isOver) reader.connectionEnded();
  return seen;
}

const kinds = [
  { what: "a head", seeds: heads, isGood: isGoodHead },
  { what: "a body", seeds: bodies, isGood: isGoodBody },
  { what: "an answer", seeds: answers, isGood: isGoodAnswer },
] as const;

function hold(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}
