import { describe, expect, test } from "vitest";
import { parseTrailers } from "@shallop/sdk/http1";
import { fieldRules, parseRequestHead, type ReceivedHead } from "./request-head.ts";

const parse = (...lines: readonly string[]): ReceivedHead | string => parseRequestHead(`${lines.join("\r\n")}\r\n\r\n`);
const get = (...fields: readonly string[]): ReceivedHead | string => parse("GET /a?b=c HTTP/1.1", "Host: x", ...fields);
const post = (...fields: readonly string[]): ReceivedHead | string => parse("POST / HTTP/1.1", "Host: x", ...fields);

describe("a head", () => {
  test("is what it says, with names in lower case and without what belongs to the connection", () => {
    const head = get("X-A:  one ", "x-a:two\t", "Connection: keep-alive", "TE: trailers", "Accept:");
    expect(head).toEqual({
      method: "GET",
      target: "/a?b=c",
      authority: "x",
      headers: ["x-a", "one", "x-a", "two", "accept", ""],
      bodyBytes: 0,
      isPersistent: true,
      isOld: false,
      expectsContinue: false,
    });
  });

  test.each([
    { target: "http://other:81/p?q", authority: "other:81", seen: "/p?q" },
    { target: "HTTPS://other", authority: "other", seen: "/" },
    { target: "http://other?q", authority: "other", seen: "/?q" },
    { target: "/", authority: "x", seen: "/" },
  ])("for $target is for $authority", ({ target, authority, seen }) => {
    expect(parse(`GET ${target} HTTP/1.1`, "host: x")).toMatchObject({ target: seen, authority });
  });

  test.each([
    { version: "1.1", connection: "", isPersistent: true },
    { version: "1.1", connection: "close", isPersistent: false },
    { version: "1.1", connection: "x, Close", isPersistent: false },
    { version: "1.0", connection: "", isPersistent: false },
    { version: "1.0", connection: "Keep-Alive", isPersistent: true },
    { version: "1.0", connection: "keep-alive, close", isPersistent: false },
  ])("HTTP/$version with connection: $connection", ({ version, connection, isPersistent }) => {
    const fields = connection === "" ? [] : [`connection: ${connection}`];
    expect(parse(`GET / HTTP/${version}`, "host: x", ...fields)).toMatchObject({ isPersistent });
  });

  test("announces its body", () => {
    expect(post("content-length: 12")).toMatchObject({ bodyBytes: 12, headers: ["content-length", "12"] });
    expect(post("Transfer-Encoding: Chunked")).toMatchObject({ bodyBytes: "chunked", headers: [] });
    expect(post("content-length: 1", "expect: 100-Continue")).toMatchObject({ expectsContinue: true });
    // There is nothing to continue with.
    expect(post("expect: 100-continue")).toMatchObject({ expectsContinue: false });
  });
});

describe("what two parsers could understand in two ways is refused", () => {
  test.each([
    ...["POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked"],
    ...["POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1"],
    ...["POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 1"],
    ...["POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +1", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0x1"],
    ...["POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length:"],
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999999999",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
    "POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked;a=b",
    ...["chunked, chunked", "chunked, gzip", "gzip", ""].map(
      (coding) => `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: ${coding}`,
    ),
    ...["GET / HTTP/1.1", "GET / HTTP/1.1\r\nhost: x\r\nhost: x"],
    ...["GET / HTTP/1.1\r\nhost: x\r\n folded", "GET / HTTP/1.1\r\n host: x", "GET / HTTP/1.1\r\nhost : x"],
    ...["GET / HTTP/1.1\r\nhost: x\r\nname", "GET / HTTP/1.1\r\nhost: x\r\n: value"],
    ...["GET / HTTP/1.1\r\nhost: x\r\na: b\nc: d", "GET / HTTP/1.1\r\nhost: x\r\na: b\rc: d"],
    ...["GET / HTTP/1.1\r\nhost: x\r\na: \0", "GET / HTTP/1.1\r\nhost: x\r\na\x80: b"],
    ...["GET / HTTP/1.1\r\nhost: x y", "GET / HTTP/1.1\r\nhost: a@b", "GET / HTTP/1.1\r\nhost: a/b"],
    ...["GET  / HTTP/1.1\r\nhost: x", "GET /a b HTTP/1.1\r\nhost: x", "GET / HTTP/1.1 \r\nhost: x", " GET / HTTP/1.1"],
    ...["GET /\r HTTP/1.1\r\nhost: x", "GET /a#b HTTP/1.1\r\nhost: x", "GET x HTTP/1.1\r\nhost: x"],
    ...["GET * HTTP/1.1\r\nhost: x", "GET http:// HTTP/1.1\r\nhost: x", "GET http://a@b/ HTTP/1.1\r\nhost: x"],
    ...["G(T / HTTP/1.1\r\nhost: x", "GET / http/1.1\r\nhost: x", "GET / HTTP/1.1x\r\nhost: x", "GET /"],
  ])("%j", (lines) => {
    expect(parse(lines)).toBe("MALFORMED");
  });

  test("and what is not spoken here is named", () => {
    expect(parse("PRI * HTTP/2.0")).toBe("VERSION_UNKNOWN");
    expect(parse("GET / HTTP/1.2", "host: x")).toBe("VERSION_UNKNOWN");
    expect(parse("CONNECT x:1 HTTP/1.1", "host: x")).toBe("METHOD_UNKNOWN");
    expect(post("transfer-encoding: gzip, chunked")).toBe("CODING_UNKNOWN");
    expect(post("content-length: 1", "expect: a miracle")).toBe("EXPECTATION_UNKNOWN");
    expect(get(...Array.from({ length: 256 }, (_, index) => `a${index}: b`))).toBe("HEAD_TOO_LARGE");
  });
});

test("trailers are fields that change nothing of the message", () => {
  expect(parseTrailers("A: b\r\nContent-Length: 5\r\nHost: x\r\nTransfer-Encoding: chunked\r\n", fieldRules)).toEqual([
    "a",
    "b",
  ]);
  expect(parseTrailers("", fieldRules)).toEqual([]);
  expect(parseTrailers("a b: c\r\n", fieldRules)).toBe("MALFORMED");
});
