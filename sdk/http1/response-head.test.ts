import { describe, expect, test } from "vitest";
import { type ParsedResponse, parseResponse } from "./response-head.ts";

const rules = { keeps: (name: string) => name !== "keep-alive", countMax: 100 };
const parse = (lines: string, method = "GET"): ParsedResponse | string =>
  parseResponse(`${lines}\r\n\r\n`, method, rules);

describe("an answer's head", () => {
  test("is what it says, with names in lower case and without what was not to be kept", () => {
    const lines = [
      "HTTP/1.1 200 OK",
      "X-A:  one ",
      "x-a:two\t",
      "Keep-Alive: timeout=5",
      "Host: x",
      "Content-Length: 5",
    ];
    expect(parse(lines.join("\r\n"))).toEqual({
      status: 200,
      headers: ["x-a", "one", "x-a", "two", "host", "x", "content-length", "5"],
      connection: "",
      upgrade: undefined,
      bodyBytes: 5,
      isPersistent: true,
    });
  });

  test("may have any reason, or none", () => {
    for (const line of ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 so\tgut\xe9"])
      expect(parse(line)).toMatchObject({ status: 200 });
  });

  test.each([
    { lines: "HTTP/1.1 200 OK\r\ncontent-length: 5", bodyBytes: 5, isPersistent: true },
    { lines: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, Close", bodyBytes: 5, isPersistent: false },
    { lines: "HTTP/1.0 200 OK\r\ncontent-length: 5", bodyBytes: 5, isPersistent: false },
    { lines: "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive", bodyBytes: 5, isPersistent: true },
    { lines: "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked", bodyBytes: "chunked", isPersistent: true },
    { lines: "HTTP/1.1 200 OK", bodyBytes: "to-end", isPersistent: false },
    { lines: "HTTP/1.1 204 No\r\ncontent-length: 5", bodyBytes: 0, isPersistent: true },
    { lines: "HTTP/1.1 304 No\r\ncontent-length: 5", bodyBytes: 0, isPersistent: true },
    { lines: "HTTP/1.1 304 No\r\ntransfer-encoding: chunked", bodyBytes: 0, isPersistent: true },
    { lines: "HTTP/1.1 103 Hints\r\nlink: x", bodyBytes: 0, isPersistent: true },
    { lines: "HTTP/1.1 205 Reset", bodyBytes: "to-end", isPersistent: false },
  ])("$lines", ({ lines, bodyBytes, isPersistent }) => {
    expect(parse(lines)).toMatchObject({ bodyBytes, isPersistent });
  });

  test("to HEAD has no body whatever it says", () => {
    expect(parse("HTTP/1.1 200 OK\r\ncontent-length: 5", "HEAD")).toMatchObject({ bodyBytes: 0, isPersistent: true });
    expect(parse("HTTP/1.1 200 OK", "HEAD")).toMatchObject({ bodyBytes: 0, isPersistent: true });
  });

  test("names the protocol that it goes over to", () => {
    const head = parse("HTTP/1.1 101 Over\r\nConnection: Upgrade\r\nUpgrade: WebSocket");
    expect(head).toMatchObject({ status: 101, connection: "upgrade", upgrade: "WebSocket", headers: [] });
  });
});

test.each([
  ...["HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200 OK", "HTTP/1.1 200OK", "HTTP/2.0 200 OK"],
  ...["http/1.1 200 OK", " HTTP/1.1 200 OK", "HTTP/1.1 200 O\0K", "HTTP/1.1 200 O\rK", "200 OK", "220 mail.example"],
  ...[
    "HTTP/1.1 200 OK\r\n folded",
    "HTTP/1.1 200 OK\r\na : b",
    "HTTP/1.1 200 OK\r\na: b\nc: d",
    "HTTP/1.1 200 OK\r\na",
  ],
  ...["1\r\ncontent-length: 1", "1, 1", "+1", "0x1", "-1", "", "9999999999999999"].map(
    (length) => `HTTP/1.1 200 OK\r\ncontent-length: ${length}`,
  ),
  ...["chunked, chunked", "chunked, gzip", "gzip", "", "chunked\r\ntransfer-encoding: chunked"].map(
    (coding) => `HTTP/1.1 200 OK\r\ntransfer-encoding: ${coding}`,
  ),
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
  "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked",
])("%j is none", (lines) => {
  expect(parse(lines)).toBe("MALFORMED");
});

test("what is not spoken, or too much, is named", () => {
  expect(parse("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked")).toBe("CODING_UNKNOWN");
  expect(parse(`HTTP/1.1 200 OK${"\r\na: b".repeat(101)}`)).toBe("HEAD_TOO_LARGE");
});
