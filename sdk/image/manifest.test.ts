import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import { manifestBytesMax, parseImageConfig, parseManifest, parseWasmConfig } from "./manifest.ts";
import { mediaType } from "./media-types.ts";

const encode = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const blob = { mediaType: "application/x", digest: digestOf("x"), size: 1 };
const manifest = { schemaVersion: 2, mediaType: mediaType.manifest, config: blob, layers: [blob] };
const index = { schemaVersion: 2, mediaType: mediaType.index, manifests: [blob] };

test("a manifest and an index are read; unknown fields are ignored", () => {
  const read = parseManifest(
    encode({ ...manifest, surprise: { deep: [1] }, annotations: { a: "b" } }),
    mediaType.manifest,
  );
  expect(read).toMatchObject({ kind: "manifest", config: blob, layers: [blob], annotations: { a: "b" } });
  const entry = { ...blob, platform: { os: "linux", architecture: "arm64", variant: "v8", "os.version": "1" } };
  const list = parseManifest(encode({ ...index, manifests: [entry] }), undefined);
  expect(list).toMatchObject({
    kind: "index",
    manifests: [{ platform: { os: "linux", architecture: "arm64", variant: "v8" } }],
  });
});

test("the type may be missing in the document, or come from the header only", () => {
  expect(
    parseManifest(
      encode({ ...manifest, mediaType: undefined }),
      "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8",
    ),
  ).toMatchObject({ kind: "manifest", mediaType: mediaType.dockerManifest });
  expect(parseManifest(encode({ schemaVersion: 2, manifests: [] }), undefined).kind).toBe("index");
  expect(parseManifest(encode({ ...manifest, layers: null }), "application/json").kind).toBe("manifest");
});

describe("what is wrong is refused, and every wrong field is named", () => {
  const cases: readonly {
    readonly name: string;
    readonly bytes: unknown;
    readonly type?: string;
    readonly says: readonly string[];
  }[] = [
    { name: "no JSON", bytes: "<html>", says: ["not JSON"] },
    { name: "invalid UTF-8", bytes: '{"a":"\ud800"', says: ["not JSON"] },
    { name: "a list", bytes: [], says: ["object"] },
    { name: "null", bytes: "null", says: ["object"] },
    { name: "schema 1", bytes: { schemaVersion: 1, fsLayers: [] }, says: ["schemaVersion"] },
    { name: "no config", bytes: { schemaVersion: 2, layers: [] }, says: ["config"] },
    { name: "no layers", bytes: { schemaVersion: 2, config: blob }, says: ["layers is missing"] },
    { name: "both kinds", bytes: { ...manifest, manifests: [] }, says: ["manifests must not"] },
    { name: "a type that is none", bytes: { ...manifest, mediaType: "text/plain" }, says: ["text/plain"] },
    { name: "two types", bytes: manifest, type: mediaType.index, says: ["served as"] },
    {
      name: "many wrong fields",
      bytes: { ...manifest, config: { mediaType: 1, digest: "md5:x", size: -1 }, layers: [{ ...blob, size: 1.5 }, 7] },
      says: ["config.mediaType", "config.digest", "config.size", "layers[0].size", "layers[1]"],
    },
    { name: "annotations that are no text", bytes: { ...manifest, annotations: { a: 1 } }, says: ["annotations.a"] },
    {
      name: "a size beyond numbers",
      bytes: { ...manifest, config: { ...blob, size: 2 ** 60 } },
      says: ["config.size"],
    },
    {
      name: "too many layers",
      bytes: { ...manifest, layers: Array.from({ length: 2_001 }, () => blob) },
      says: ["2001 entries"],
    },
    { name: "deep nesting", bytes: `${'{"a":'.repeat(100)}1${"}".repeat(100)}`, says: ["nested deeper"] },
    { name: "very deep nesting", bytes: "[".repeat(1_000_000), says: ["nested deeper"] },
    { name: "too many bytes", bytes: " ".repeat(manifestBytesMax + 1), says: [String(manifestBytesMax)] },
  ];
  test.each(cases)("$name", ({ bytes, type, says }) => {
    const parse = (): unknown => parseManifest(encode(bytes), type);
    expect(parse).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID" }));
    for (const word of says) expect(parse).toThrow(word);
  });
});

test("keys that are special to JavaScript are keys like any other", () => {
  const bytes = encode('{"schemaVersion":2,"manifests":[],"annotations":{"__proto__":"x","constructor":"y"}}');
  const { annotations } = parseManifest(bytes, undefined);
  expect(Object.entries(annotations)).toEqual([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  expect(Object.getPrototypeOf(annotations)).toBe(Object.prototype);
});

test("property: any JSON is read or refused with MANIFEST_INVALID, by each parser", () => {
  const parsers = [
    (bytes: Uint8Array) => parseManifest(bytes, undefined),
    (bytes: Uint8Array) => parseImageConfig(bytes),
    (bytes: Uint8Array) => parseWasmConfig(bytes),
  ];
  const key = fc.constantFrom(
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "digest",
    "size",
    "annotations",
    "platform",
    "os",
    "architecture",
    "rootfs",
    "diff_ids",
    "Env",
    "Entrypoint",
    "component",
    "imports",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, 2, -1, "x", blob.digest, mediaType.index, true),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(value, (json) => {
      for (const parse of parsers) {
        try {
          parse(encode(json));
        } catch (error) {
          if (!(error instanceof ImageFault)) throw error;
          expect(error.code).toBe("MANIFEST_INVALID");
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("an image config: what a node needs of it", () => {
  const config = parseImageConfig(
    encode({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [digestOf("a")] },
      config: {
        Env: ["A=b"],
        Entrypoint: "run it",
        Cmd: null,
        User: "1:2",
        ExposedPorts: { "80/tcp": {} },
        StopSignal: "SIGQUIT",
        Labels: { a: "b" },
      },
    }),
  );
  expect(config).toMatchObject({
    entrypoint: ["/bin/sh", "-c", "run it"],
    cmd: [],
    env: ["A=b"],
    user: "1:2",
    workingDir: "",
    exposedPorts: ["80/tcp"],
    stopSignal: "SIGQUIT",
    diffIds: [digestOf("a")],
  });
});

test("a NUL in an image config is refused: the kernel would cut there", () => {
  for (const field of [{ Env: ["A=b\0c"] }, { Entrypoint: ["/bin/a\0b"] }, { WorkingDir: "/a\0" }, { User: "0\0" }]) {
    const parse = (): unknown => parseImageConfig(encode({ os: "linux", architecture: "amd64", config: field }));
    expect(parse).toThrow(/NUL/);
  }
});
