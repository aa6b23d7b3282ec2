import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ImageFault } from "./fault.ts";
import {
  formatReference,
  type ImageReference,
  isLoopbackHost,
  parseReference,
  registryHost,
  registryUrl,
  wasmTag,
  imageTag,
} from "./reference.ts";

const builtin = { defaultRegistry: "127.0.0.1:5000" };
const hex = "a".repeat(64);

describe("parseReference", () => {
  const good: readonly (readonly [string, string])[] = [
    ["hello", "127.0.0.1:5000/hello:latest"],
    ["hello:1", "127.0.0.1:5000/hello:1"],
    ["team/hello:1", "127.0.0.1:5000/team/hello:1"],
    ["localhost/hello", "localhost/hello:latest"],
    ["localhost:5000/hello:2", "localhost:5000/hello:2"],
    ["[::1]:5000/hello", "[::1]:5000/hello:latest"],
    ["docker.io/alpine", "docker.io/library/alpine:latest"],
    ["docker.io/me/app:1", "docker.io/me/app:1"],
    ["index.docker.io/alpine:3", "docker.io/library/alpine:3"],
    ["ghcr.io/a/b/c:v1.2_x-Y", "ghcr.io/a/b/c:v1.2_x-Y"],
    ["Example/hello", "Example/hello:latest"],
    ["a/b__c/d---e/f.g", "127.0.0.1:5000/a/b__c/d---e/f.g:latest"],
    [`hello@sha256:${hex}`, `127.0.0.1:5000/hello@sha256:${hex}`],
    [`hello:1@sha256:${hex}`, `127.0.0.1:5000/hello:1@sha256:${hex}`],
    [`hello@sha512:${hex}${hex}`, `127.0.0.1:5000/hello@sha512:${hex}${hex}`],
    [`hello:${"t".repeat(128)}`, `127.0.0.1:5000/hello:${"t".repeat(128)}`],
  ];
  test.each(good)("%s is %s", (text, formatted) => {
    expect(formatReference(parseReference(text, builtin))).toBe(formatted);
  });

  const bad = [
    "",
    "/",
    ":1",
    "@",
    "Hello",
    "hello:",
    "hello:-1",
    "hello:.1",
    `hello:${"t".repeat(129)}`,
    "hello@sha256:abc",
    `hello@md5:${hex}`,
    `hello@sha256:${"A".repeat(64)}`,
    `hello@sha256:${hex}@sha256:${hex}`,
    "a//b",
    "a/",
    "a..b",
    "a___b",
    "-a",
    "a-",
    "a b",
    "a\nb",
    "../etc/passwd",
    "a/../b",
    "http://host/hello",
    "host:port/hello",
    "host:0/hello",
    "host:65536/hello",
    "host:99999999/hello",
    "host.name:5000/",
    "docker.io/",
    "[::1/hello",
    `h.io/${"a".repeat(256)}`,
    "häst.io/hello",
    "a".repeat(10_000),
  ];
  test.each(bad)("%j is refused", (text) => {
    const parse = (): ImageReference => parseReference(text, builtin);
    expect(parse).toThrow(ImageFault);
    expect(parse).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
  });

  const lower = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const separated = fc
    .array(fc.tuple(lower, fc.constantFrom(".", "_", "__", "-", "---")), { maxLength: 3 })
    .chain((parts) => lower.map((last) => parts.map(([word, separator]) => word + separator).join("") + last));
  const path = fc.array(separated, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const host = fc.constantFrom("example.com", "localhost", "127.0.0.1:5000", "[::1]:443", "Host-A:1", "docker.io");
  const tag = fc.option(fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}$/), { nil: undefined });
  const digest = fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined });

  test("property: what the grammar makes is read, and reads back as the same", () => {
    fc.assert(
      fc.property(fc.record({ host, path, tag, digest }), (made) => {
        const text = `${made.host}/${made.path}${made.tag === undefined ? "" : `:${made.tag}`}${made.digest === undefined ? "" : `@sha256:${made.digest}`}`;
        const reference = parseReference(text, builtin);
        expect(reference.registry).toBe(made.host);
        expect(reference.tag).toBe(made.tag ?? (made.digest === undefined ? "latest" : undefined));
        expect(parseReference(formatReference(reference), { defaultRegistry: "other.example" })).toEqual(reference);
      }),
    );
  });

  test("property: any text is read or refused with a code, quickly", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 600, unit: fc.constantFrom(...Array.from("aA0.-_/:@[]% \0é")) }), (text) => {
        try {
          const reference = parseReference(text, builtin);
          expect(formatReference(reference)).not.toMatch(/[\s\0]|\.\./);
        } catch (error) {
          expect(error).toMatchObject({ code: "REFERENCE_INVALID" });
        }
      }),
    );
  });
});

test("registryUrl: plain HTTP for this machine only, Docker Hub's API is elsewhere", () => {
  const url = (host: string): string => registryUrl(registryHost(host)).url;
  expect(url("127.0.0.1:5000")).toBe("http://127.0.0.1:5000");
  expect(url("localhost")).toBe("http://localhost");
  expect(url("[::1]:5000")).toBe("http://[::1]:5000");
  expect(url("registry.example:5000")).toBe("https://registry.example:5000");
  expect(url("docker.io")).toBe("https://registry-1.docker.io");
});

test("isLoopbackHost is not fooled by names that begin like this machine", () => {
  for (const host of ["localhost", "a.localhost", "127.1.2.3:80", "[::1]", "[0:0:0:0:0:0:0:1]:5"]) {
    expect(isLoopbackHost(host), host).toBe(true);
  }
  for (const host of [
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "128.0.0.1",
    "[::2]",
    "127.0.0.1.5",
    "mylocalhost",
  ]) {
    expect(isLoopbackHost(host), host).toBe(false);
  }
});

test("the extra tag of an image is a tag", () => {
  expect(wasmTag(imageTag("1.2.3"))).toBe("1.2.3-wasm");
  expect(() => wasmTag(imageTag("t".repeat(125)))).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
});

// @ts-expect-error a plain text is no registry host
registryUrl("docker.io");
