import { assert as check, jsonValue, property, uint8Array } from "fast-check";
import { ApiFault } from "@shallop/sdk/api";
import { systemClock } from "@shallop/sdk/internal";
import { describe, expect, test } from "vitest";
import { refusal } from "./api.fixture.ts";
import { readObject, readPatch } from "./http/request-body.ts";
import { parseJson } from "./json-body.ts";
import { decodeProtobuf } from "./protobuf.ts";

describe("JSON", () => {
  test("is parsed as JSON.parse does, whatever it is", () => {
    check(
      property(jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        if (text.includes("__proto__")) return;
        expect(parseJson(text)).toEqual({ value: JSON.parse(text), duplicates: [] });
      }),
    );
  });

  test("members that are there twice are found", () => {
    const text = String.raw`{"a":{"b":1,"b":2},"l":[{"x":"}{\",:","x":1}],"\u0061":1}`;
    expect(parseJson(text).duplicates).toEqual(["a.b", "l[0].x", "a"]);
  });

  test.each([
    { name: "no JSON", text: "{" },
    { name: "nothing", text: "" },
    { name: "too deep", text: "[".repeat(101) + "]".repeat(101) },
    { name: "only open brackets", text: "[".repeat(1_000_000) },
    { name: "a prototype", text: '{"a":{"__proto__":{"x":1}}}' },
    { name: "a prototype in disguise", text: String.raw`{"a":{"\u005f_proto__":{"x":1}}}` },
    { name: "a prototype after space", text: '{"__proto__"     :1}' },
  ])("$name is refused", async ({ text }) => {
    expect((await refusal(() => parseJson(text))).code).toBe("BadRequest");
  });

  test("as deep as objects may be is taken", () => {
    expect(parseJson("[".repeat(100) + "]".repeat(100)).duplicates).toEqual([]);
  });
});

const request = (contentType: string, body: string | Uint8Array): Request =>
  new Request("https://api/", { method: "POST", headers: { "content-type": contentType }, body: Buffer.from(body) });

describe("a request's body", () => {
  test.each([
    { type: "application/json", body: '{"a":1}' },
    { type: "application/json; charset=utf-8", body: '{"a":1}' },
    { type: "application/yaml", body: "a: 1\n" },
  ])("of $type", async ({ type, body }) => {
    expect((await readObject(request(type, body), systemClock)).value).toEqual({ a: 1 });
  });

  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${["b", "c", "d", "e", "f"].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${"abcde"[index]}`).join(",")}]\n`).join("")}`;
  test.each([
    { name: "another type", type: "text/plain", body: "{}", code: "UnsupportedMediaType" },
    { name: "no UTF-8", type: "application/json", body: new Uint8Array([0xff, 0xfe]), code: "BadRequest" },
    { name: "YAML that multiplies", type: "application/yaml", body: bomb, code: "BadRequest" },
    { name: "YAML that is none", type: "application/yaml", body: "a: [", code: "BadRequest" },
    { name: "YAML with a prototype", type: "application/yaml", body: '"__proto__": {a: 1}', code: "BadRequest" },
    { name: "YAML too deep", type: "application/yaml", body: "[".repeat(5000), code: "BadRequest" },
    { name: "protobuf that is none", type: "application/vnd.kubernetes.protobuf", body: "{}", code: "BadRequest" },
    {
      name: "too large",
      type: "application/json",
      body: " ".repeat(3 * 1024 * 1024 + 1),
      code: "RequestEntityTooLarge",
    },
  ])("$name is refused", async ({ type, body, code }) => {
    expect((await refusal(() => readObject(request(type, body), systemClock))).code).toBe(code);
  });

  test("a patch has its formats", async () => {
    const read = (type: string, builtin: boolean) => readPatch(request(type, "{}"), systemClock, builtin);
    expect((await read("application/strategic-merge-patch+json", true)).kind).toBe("strategic");
    for (const [text, body] of [
      ["a: 1", { a: 1 }],
      ['{"a":1}', { a: 1 }],
    ] as const) {
      const apply = await readPatch(request("application/apply-patch+yaml", text), systemClock, false);
      expect(apply).toEqual({ kind: "apply", body, duplicates: [] });
    }
    for (const type of ["application/strategic-merge-patch+json", "application/json"]) {
      expect((await refusal(() => read(type, false))).code).toBe("UnsupportedMediaType");
    }
  });
});

/** Enough of an encoder to say what a client says: tag, length, bytes. */
const field = (number: number, value: Uint8Array | string | number): Buffer => {
  if (typeof value === "number") return Buffer.from([...varint(number << 3), ...varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);
};
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]);
const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);
const envelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  message(Buffer.from("k8s\0"), field(1, message(field(1, apiVersion), field(2, kind))), field(2, raw));

describe("protobuf", () => {
  test("a namespace as kubectl 1.33 sends it", () => {
    // `kubectl create namespace team`, recorded from the wire.
    const recorded =
      "6b3873000a0f0a02763112094e616d657370616365121c0a140a047465616d12001a0022002a0032003800420012001a020a001a002200";
    const decoded = decodeProtobuf(Buffer.from(recorded, "hex"));
    expect(decoded).toEqual({ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: {}, status: {} });
  });

  test("types: times, maps, quantities, integers or strings, inlined messages, embedded JSON", () => {
    const time = message(field(1, 1_767_225_600), field(2, 0));
    const metadata = message(
      field(1, "web"),
      field(7, 0),
      field(8, time),
      field(11, message(field(1, "app"), field(2, "x"))),
      field(17, message(field(1, "kubectl"), field(7, message(field(1, '{"f:spec":{}}'))))),
    );
    const probe = message(
      field(1, message(field(2, message(field(1, "/"), field(2, message(field(1, 0), field(2, 8080))))))),
      field(2, 3),
    );
    const resources = message(field(1, message(field(1, "cpu"), field(2, message(field(1, "100m"))))));
    const container = message(
      field(1, "c"),
      field(2, "img"),
      field(3, "run"),
      field(3, "fast"),
      field(8, resources),
      field(10, probe),
      field(16, 0),
    );
    const volume = message(field(1, "v"), field(2, message(field(2, message(field(1, "Memory"))))));
    const spec = message(field(1, volume), field(2, container), field(4, 0), field(11, 1));
    expect(decodeProtobuf(envelope("v1", "Pod", message(field(1, metadata), field(2, spec))))).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "web",
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: { app: "x" },
        managedFields: [{ manager: "kubectl", fieldsV1: { "f:spec": {} } }],
      },
      spec: {
        volumes: [{ name: "v", emptyDir: { medium: "Memory" } }],
        containers: [
          {
            name: "c",
            image: "img",
            command: ["run", "fast"],
            resources: { limits: { cpu: "100m" } },
            livenessProbe: { httpGet: { path: "/", port: 8080 }, initialDelaySeconds: 3 },
          },
        ],
        // A pointer in Go: zero was said, not left out.
        terminationGracePeriodSeconds: 0,
        hostNetwork: true,
      },
    });
  });

  test("options of a deletion, with a grace period of zero", () => {
    const options = message(field(1, 0), field(2, message(field(1, "uid"))), field(4, "Background"));
    expect(decodeProtobuf(envelope("v1", "DeleteOptions", options))).toMatchObject({
      gracePeriodSeconds: 0,
      preconditions: { uid: "uid" },
      propagationPolicy: "Background",
    });
  });

  test("kinds that are not served in protobuf are refused", async () => {
    for (const [apiVersion, kind] of [
      ["v1", "ConfigMapNone"],
      ["serving.knative.dev/v1", "Service"],
      ["v1", "constructor"],
    ]) {
      const body = envelope(apiVersion ?? "", kind ?? "", Buffer.alloc(0));
      expect((await refusal(() => decodeProtobuf(body))).code).toBe("BadRequest");
    }
  });

  test("arbitrary bytes are decoded or refused, never more", () => {
    check(
      property(uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          decodeProtobuf(envelope("v1", "Pod", Buffer.from(bytes)));
        } catch (error) {
          expect(error).toBeInstanceOf(ApiFault);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
