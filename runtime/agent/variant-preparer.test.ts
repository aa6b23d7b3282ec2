import type { NodeFeatures } from "@shallop/sdk/api";
import { type Digest, digestOf, type Variant } from "@shallop/sdk/image";
import { silentLog } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import type { LocalImage } from "../image/local-image.ts";
import type { ResolvedImage } from "../image/node-images.ts";
import { ImportsUnmetFault, PodFault } from "../pod/pod-runtime.ts";
import { FakeRuntime } from "../pod/pod-runtime.fake.ts";
import { RecordingObserver } from "../pod/pod-runtime.contract.ts";
import { VariantPreparer } from "./variant-preparer.ts";

const unmetFault = new ImportsUnmetFault("the component lacks something", ["wasi:nn/graph@0.2.0"]);
const digest = (text: string): Digest => digestOf(Buffer.from(text));
const manifest = (text: string) => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: digest(text),
  size: 1,
});
const wasm: Variant = {
  kind: "wasm",
  digest: digest("wasm"),
  manifest: manifest("wasm"),
  platform: { os: "wasip2", architecture: "wasm" },
} as Variant;
const native: Variant = {
  kind: "native",
  digest: digest("native"),
  manifest: manifest("native"),
  platform: { os: "linux", architecture: "amd64" },
};
const signal = AbortSignal.timeout(5000);

function open(variants: readonly Variant[], options: { readonly native?: boolean } = {}) {
  const asked: string[] = [];
  const collected: string[][] = [];
  const features: NodeFeatures = {
    native: options.native ?? true,
    nativeMissing: "runc is missing",
    wasiFamilies: ["wasi:http@0.2"],
    missing: [],
  };
  const runtimes = {
    wasm: new FakeRuntime("wasm", new RecordingObserver()),
    native: new FakeRuntime("native", new RecordingObserver()),
  };
  const preparer = new VariantPreparer({
    images: {
      resolve: async (reference) => {
        asked.push(`resolve ${reference.repository}`);
        return { reference, digest: digest("index"), variants } as ResolvedImage;
      },
      fetch: async (_image, variant): Promise<LocalImage> => {
        asked.push(`fetch ${variant.kind}`);
        const common = { digest: variant.digest, sizeBytes: 1 };
        if (variant.kind === "wasm") return { ...common, variant: "wasm", componentDigest: "c", componentPath: "/c" };
        const config = { env: [], entrypoint: [], cmd: [], workingDir: "", user: "", exposedPorts: [] };
        return { ...common, variant: "native", layerPaths: [], config };
      },
      collect: async (inUse) => {
        collected.push([...inUse].sort());
        return { removedBytes: 0 };
      },
    },
    gate: { check: () => Promise.resolve() },
    runtimes: [runtimes.wasm, runtimes.native],
    features,
    architecture: "amd64",
    defaultRegistry: "127.0.0.1:5000",
    log: silentLog,
    signal,
  });
  return { preparer, asked, collected, runtimes };
}

const pinnedHello = `hello@${digest("index")}`;

test("Wasm first, with the variant's own digest and the reason", async () => {
  const { preparer } = open([native, wasm]);
  const prepared = await preparer.prepare(pinnedHello, "any", signal);
  expect(prepared).toMatchObject({ image: { variant: "wasm" }, imageId: `127.0.0.1:5000/hello@${wasm.digest}` });
  expect(prepared.reason).toMatch(/Wasm comes first/);
});

test("what the component imports and its image does not list is known with it", async () => {
  const { preparer, runtimes } = open([wasm]);
  Object.assign(runtimes.wasm, { unlistedImports: () => ["wasi:sockets/tcp@0.2.0"] });
  expect(await preparer.prepare(pinnedHello, "any", signal)).toMatchObject({
    unlistedImports: ["wasi:sockets/tcp@0.2.0"],
  });
});

test("native when the deployment asks for it", async () => {
  const { preparer, asked } = open([native, wasm]);
  const prepared = await preparer.prepare(pinnedHello, "native", signal);
  expect(prepared).toMatchObject({
    image: { variant: "native" },
    reason: expect.stringMatching(/as the deployment asks/),
  });
  expect(asked).not.toContain("fetch wasm");
});

test("native when the component turns out to import what is not here, and the reason names it", async () => {
  const { preparer, runtimes } = open([native, wasm]);
  runtimes.wasm.failPrepares = [unmetFault];
  const prepared = await preparer.prepare(pinnedHello, "any", signal);
  expect(prepared.image.variant).toBe("native");
  expect(prepared.reason).toContain("wasi:nn/graph@0.2.0");
});

test("native from now on when the component does not come up, unless the deployment wants only Wasm", async () => {
  const { preparer } = open([native, wasm]);
  const image = await preparer.prepare(pinnedHello, "any", signal);
  expect(await preparer.hasOther({ reference: pinnedHello, wish: "only-wasm", purpose: "serve", image })).toBe(false);
  const wanted = { reference: pinnedHello, wish: "any", purpose: "serve", image } as const;
  expect(await preparer.hasOther(wanted)).toBe(true);
  const other = await preparer.fallBack(wanted, "did not come up here 3 times (trap)", signal);
  expect(other.image.variant).toBe("native");
  expect(other.reason).toContain("did not come up here 3 times (trap)");
  expect((await preparer.prepare(pinnedHello, "any", signal)).image.variant).toBe("native");
  await expect(preparer.prepare(pinnedHello, "only-wasm", signal)).rejects.toMatchObject({ code: "NO_USABLE_VARIANT" });
});

test("no other variant where there is one only", async () => {
  const { preparer } = open([wasm]);
  const image = await preparer.prepare(pinnedHello, "any", signal);
  expect(await preparer.hasOther({ reference: pinnedHello, wish: "any", purpose: "serve", image })).toBe(false);
});

test("no variant left is NO_USABLE_VARIANT, with a reason for each", async () => {
  const { preparer, runtimes } = open([native, wasm], { native: false });
  runtimes.wasm.failPrepares = [unmetFault];
  await expect(preparer.prepare(pinnedHello, "any", signal)).rejects.toMatchObject({
    code: "NO_USABLE_VARIANT",
    message: expect.stringMatching(/wasi:nn.*runc is missing|runc is missing.*wasi:nn/),
  });
});

test("what is wrong with the image itself is not tried otherwise", async () => {
  const { preparer, runtimes, asked } = open([native, wasm]);
  runtimes.wasm.failPrepares = [new PodFault("IMAGE_INVALID", "not a component")];
  await expect(preparer.prepare(pinnedHello, "any", signal)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  expect(asked).not.toContain("fetch native");
});

test("a digest is prepared once, however many ask; a tag is looked up each time", async () => {
  const { preparer, asked } = open([wasm]);
  await Promise.all(Array.from({ length: 100 }, () => preparer.prepare(pinnedHello, "any", signal)));
  await preparer.prepare(pinnedHello, "any", signal);
  expect(asked).toEqual(["resolve hello", "fetch wasm"]);
  await preparer.prepare("hello:1", "any", signal);
  await preparer.prepare("hello:1", "any", signal);
  expect(asked.filter((call) => call.startsWith("resolve"))).toHaveLength(3);
});

test("who leaves does not take the others' image away", async () => {
  const { preparer } = open([wasm]);
  const leave = new AbortController();
  const [gone, stays] = [
    preparer.prepare(pinnedHello, "any", leave.signal),
    preparer.prepare(pinnedHello, "any", signal),
  ];
  leave.abort(new Error("left"));
  await expect(gone).rejects.toThrow("left");
  expect((await stays).image.variant).toBe("wasm");
});

test("what is still wanted is kept, by image and by variant", async () => {
  const { preparer, collected, asked } = open([wasm]);
  await preparer.prepare(pinnedHello, "any", signal);
  await preparer.retain(() => new Set([pinnedHello, "not a reference!"]));
  await preparer.retain(() => new Set());
  expect(collected).toEqual([[digest("index"), wasm.digest].sort(), []]);
  await preparer.prepare(pinnedHello, "any", signal);
  expect(asked.filter((call) => call === "fetch wasm")).toHaveLength(2);
});

test("images are not let go of while one is being prepared", async () => {
  const { preparer, collected } = open([wasm]);
  const preparing = preparer.prepare("hello:1", "any", signal);
  let wanted: string[] = [];
  const retaining = preparer.retain(() => new Set(wanted));
  wanted = [(await preparing).imageId];
  await retaining;
  expect(collected).toEqual([[wasm.digest]]);
});
