import { describe, expect, test } from "vitest";
import { parseRunFlags, parseServeFlags } from "./flags.ts";

const run = (...args: readonly string[]) => parseRunFlags(["--cache", "/c", ...args], { HERE: "1" });
const serve = (...args: readonly string[]) => parseServeFlags(["--cache", "/c", ...args], {});

describe("flags", () => {
  test("what is not said", () => {
    expect(run("f.wasm")).toEqual({
      file: "f.wasm",
      cacheDirectory: "/c",
      environment: [],
      directories: [],
      memoryBytesMax: 2 ** 32,
      allowedHosts: [],
      arguments: [],
      timeoutMs: undefined,
    });
    expect(serve("f.wasm")).toMatchObject({
      address: { host: "127.0.0.1", port: 8080 },
      timeoutMs: 300_000,
      reuse: {},
    });
  });

  test.each([
    { text: "65536", bytes: 65_536 },
    { text: "64K", bytes: 65_536 },
    { text: "64MiB", bytes: 64 * 2 ** 20 },
    { text: "1gb", bytes: 2 ** 30 },
  ])("--max-memory $text", ({ text, bytes }) => {
    expect(run("--max-memory", text, "f").memoryBytesMax).toBe(bytes);
  });

  test("--reuse and its like", () => {
    expect(serve("--reuse", "5", "--reuse-at-once", "2", "--reuse-idle", "3s", "f").reuse).toEqual({
      requestsMax: 5,
      atOnceMax: 2,
      idleMs: 3000,
    });
    expect(() => serve("--reuse-at-once", "1001", "f")).toThrow(
      "--reuse-at-once is 1001; write what is from 1 to 1000",
    );
    expect(() => serve("--reuse-idle", "2h", "f")).toThrow(/--reuse-idle is 7200000ms/);
  });

  test("directories keep their name unless another is given", () => {
    expect(run("--dir", "/tmp", "--dir=/tmp::/data", "f").directories).toEqual([
      { host: "/tmp", guest: "/tmp", writable: true },
      { host: "/tmp", guest: "/data", writable: true },
    ]);
  });

  test("everything after -- is the guest's", () => {
    expect(run("f", "--", "--dir", "x", "--").arguments).toEqual(["--dir", "x", "--"]);
  });

  test.each([
    { text: "[::1]:80", host: "::1", port: 80 },
    { text: "0.0.0.0:0", host: "0.0.0.0", port: 0 },
    { text: "localhost:8080", host: "localhost", port: 8080 },
  ])("--addr $text", ({ text, host, port }) => {
    expect(serve("--addr", text, "f").address).toEqual({ host, port });
  });

  test.each([
    { text: "API.example.org", host: "api.example.org", port: undefined },
    { text: "10.0.0.1:443", host: "10.0.0.1", port: 443 },
    { text: "::1", host: "::1", port: undefined },
  ])("--allow-host $text", ({ text, host, port }) => {
    expect(run("--allow-host", text, "f").allowedHosts).toEqual([{ host, port }]);
  });

  test.each([
    [],
    ["f", "g"],
    ["f", "--env", "MISSING"],
    ["f", "--env", "=v"],
    ["f", "--dir", "::/x"],
    ["f", "--dir", "/nowhere::/x"],
    ["f", "--max-memory", "5G"],
    ["f", "--max-memory", "1K"],
    ["f", "--max-memory", "-1"],
    ["f", "--timeout", "0s"],
    ["f", "--timeout", "30"],
    ["f", "--timeout", "9999h"],
    ["f", "--allow-host", "a:0"],
    ["f", "--allow-host", "[a]:1"],
    ["f", "--unknown"],
  ])("%j is wrong usage", (...args) => {
    expect(() => run(...args)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});
