import type { NodeFeatures } from "@shallop/sdk/api";
import { type Descriptor, digestOf, type NativeVariant, type Variant, type WasmVariant } from "@shallop/sdk/image";
import { describe, expect, test } from "vitest";
import { type ChoiceInput, chooseVariant, imageArchitecture, importFamily } from "./choose.ts";

const manifest = (name: string): Descriptor => ({ mediaType: "m", digest: digestOf(name), size: 1 });

function wasm(os: string, imports?: readonly string[]): WasmVariant {
  return {
    kind: "wasm",
    digest: digestOf(os),
    platform: { os, architecture: "wasm" },
    manifest: manifest(os),
    content: { form: "file", layer: manifest("layer") },
    sizeBytes: 1,
    ...(imports === undefined ? {} : { component: { imports, exports: [] } }),
  };
}

function native(architecture: string, variant?: string): NativeVariant {
  const platform = { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) };
  return {
    kind: "native",
    digest: digestOf(architecture + (variant ?? "")),
    platform,
    manifest: manifest(architecture),
  };
}

const node: NodeFeatures = { native: true, wasiFamilies: ["wasi:http@0.2", "wasi:cli@0.2"], missing: [] };
const noNative: NodeFeatures = { ...node, native: false, nativeMissing: "runc is missing; install it" };
const http = "wasi:http/types@0.2.3";
const sockets = "wasi:sockets/tcp@0.2.0";

describe("chooseVariant", () => {
  const cases: readonly {
    readonly name: string;
    readonly variants: readonly Variant[];
    readonly input?: Partial<ChoiceInput>;
    /** `os/architecture` of the chosen, or undefined for a refusal. */
    readonly chosen?: string;
    readonly says: readonly string[];
  }[] = [
    {
      name: "only native, though Wasm could run",
      variants: [native("amd64"), wasm("wasip2", [http])],
      input: { wish: "only-native" },
      chosen: "linux/amd64",
      says: ["as the deployment asks"],
    },
    {
      name: "only Wasm, which cannot run here",
      variants: [native("amd64"), wasm("wasip2", [sockets])],
      input: { wish: "only-wasm" },
      says: ["does not provide", "the deployment wants only Wasm variants"],
    },
    {
      name: "the cluster prefers native",
      variants: [native("amd64"), wasm("wasip2", [http])],
      input: { clusterPrefers: "native" },
      chosen: "linux/amd64",
      says: ["which this cluster prefers"],
    },
    {
      name: "the deployment's preference comes before the cluster's",
      variants: [native("amd64"), wasm("wasip2", [http])],
      input: { clusterPrefers: "native", wish: "wasm" },
      chosen: "wasip2/wasm",
      says: ["as the deployment asks"],
    },
    {
      name: "a component that does not come up",
      variants: [native("amd64"), wasm("wasip2", [http])],
      input: { startFailures: new Map([[digestOf("wasip2"), "did not come up here 3 times (trap)"]]) },
      chosen: "linux/amd64",
      says: ["because Wasm variant wasip2/wasm did not come up here 3 times (trap)"],
    },
    {
      name: "Wasm first",
      variants: [native("amd64"), wasm("wasip2", [http])],
      chosen: "wasip2/wasm",
      says: ["Wasm comes first"],
    },
    {
      name: "a Wasm that does not say what it imports gets the benefit",
      variants: [wasm("wasi"), native("amd64")],
      chosen: "wasi/wasm",
      says: ["Wasm"],
    },
    {
      name: "wasip2 before wasi",
      variants: [wasm("wasi"), wasm("wasip2", [])],
      chosen: "wasip2/wasm",
      says: ["wasip2/wasm"],
    },
    {
      name: "wasip1 needs what it imports",
      variants: [wasm("wasip1"), native("amd64")],
      chosen: "linux/amd64",
      says: ["wasi_snapshot_preview1"],
    },
    {
      name: "wasip1 where it is provided",
      variants: [wasm("wasip1")],
      input: { node: { ...node, wasiFamilies: ["wasi_snapshot_preview1"] } },
      chosen: "wasip1/wasm",
      says: ["wasip1"],
    },
    {
      name: "no Wasm variant",
      variants: [native("amd64")],
      chosen: "linux/amd64",
      says: ["the image has no Wasm variant"],
    },
    {
      name: "imports unmet by the config",
      variants: [wasm("wasip2", [http, sockets]), native("amd64")],
      chosen: "linux/amd64",
      says: [sockets, "does not provide"],
    },
    {
      name: "imports found unmet later",
      variants: [wasm("wasip2", [http]), native("amd64")],
      input: { importsUnmet: new Map([[digestOf("wasip2"), ["a:b/c"]]]) },
      chosen: "linux/amd64",
      says: ["a:b/c"],
    },
    {
      name: "the deployment asks for native",
      variants: [wasm("wasip2", []), native("amd64")],
      input: { wish: "native" },
      chosen: "linux/amd64",
      says: ["as the deployment asks"],
    },
    {
      name: "the deployment asks for Wasm",
      variants: [wasm("wasip2", []), native("amd64")],
      input: { wish: "wasm" },
      chosen: "wasip2/wasm",
      says: ["as the deployment asks"],
    },
    {
      name: "native is asked for and cannot run",
      variants: [wasm("wasip2", []), native("amd64")],
      input: { wish: "native", node: noNative },
      chosen: "wasip2/wasm",
      says: ["runc is missing; install it"],
    },
    {
      name: "native is asked for and the image has none",
      variants: [wasm("wasip2", [])],
      input: { wish: "native" },
      chosen: "wasip2/wasm",
      says: ["the image has no native variant"],
    },
    {
      name: "Wasm is asked for and the image has none",
      variants: [native("amd64")],
      input: { wish: "wasm" },
      chosen: "linux/amd64",
      says: ["the image has no Wasm variant"],
    },
    {
      name: "the node's architecture",
      variants: [native("amd64"), native("arm64", "v8")],
      input: { architecture: "arm64" },
      chosen: "linux/arm64",
      says: ["arm64"],
    },
    {
      name: "the plain amd64 before a level of it",
      variants: [native("amd64", "v3"), native("amd64")],
      chosen: "linux/amd64",
      says: ["no Wasm variant"],
    },
    {
      name: "nothing runs: all reasons",
      variants: [wasm("wasip2", [sockets]), native("arm64"), native("amd64", "v3")],
      says: [sockets, "another architecture than linux/amd64", "level v3"],
    },
    {
      name: "native alone on a node without",
      variants: [native("amd64")],
      input: { node: noNative },
      says: ["runc is missing"],
    },
    { name: "nothing there", variants: [], says: ["no variant that could run"] },
    {
      name: "a great many unmet imports are not all listed",
      variants: [
        wasm(
          "wasip2",
          Array.from({ length: 22 }, (_, index) => `a:n${index}`),
        ),
      ],
      says: ["a:n0, a:n1, a:n2, ", "a:n19 and 2 more"],
    },
  ];
  test.each(cases)("$name", ({ variants, input, chosen, says }) => {
    const choice = chooseVariant({ variants, node, architecture: "amd64", wish: "any", ...input });
    const platform = choice.kind === "chosen" ? choice.variant.platform : undefined;
    expect(platform === undefined ? undefined : `${platform.os}/${platform.architecture}`).toBe(chosen);
    for (const words of says) expect(choice.reason).toContain(words);
    expect(choice.reason).toMatch(/^[A-Z].*\.$/);
  });
});

test.each([
  ["wasi:http/types@0.2.3", "wasi:http@0.2"],
  ["wasi:http/types@0.3.0-rc-2025-09-16", "wasi:http@0.3"],
  ["my:pkg/api@1.4.0", "my:pkg@1"],
  ["my:pkg/api", "my:pkg"],
  ["log", "log"],
])("importFamily %s is %s", (name, family) => {
  expect(importFamily(name)).toBe(family);
});

test("imageArchitecture", () => {
  expect(["x64", "arm64", "riscv64"].map(imageArchitecture)).toEqual(["amd64", "arm64", "riscv64"]);
});
