import { type NodeFeatures, type VariantWish, wishedVariant } from "@shallop/sdk/api";
import { type Digest, formatPlatform, type NativeVariant, type Variant, type WasmVariant } from "@shallop/sdk/image";

export interface ChoiceInput {
  readonly variants: readonly Variant[];
  readonly node: NodeFeatures;
  /** The node's, as images write it: `amd64`, `arm64`. */
  readonly architecture: string;
  /**
   * What the deployment wants. A kind that is only preferred and cannot run here is no refusal: the other one runs. With
   * `any` the cluster's preference holds, and without one Wasm comes first.
   */
  readonly wish: VariantWish;
  readonly clusterPrefers?: Variant["kind"];
  /** By digest of the variant's manifest: imports that were found missing when its component was read. */
  readonly importsUnmet?: ReadonlyMap<Digest, readonly string[]>;
  /** Likewise: why its pods do not come up here, `trapped 3 times at its start`. */
  readonly startFailures?: ReadonlyMap<Digest, string>;
}

export type Choice =
  | { readonly kind: "chosen"; readonly variant: Variant; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/** Of the Wasm conventions, those that say most about the file come first. */
const wasmSystems: readonly string[] = ["wasip2", "wasip1", "wasi"];

/** What a `wasip1` module imports everything from. */
const previewOneFamily = "wasi_snapshot_preview1";

/**
 * The variant of an image that a node runs, and why, in a sentence for `kubectl describe`. Pure. The order is
 * wasip2/wasm, wasip1/wasm, wasi/wasm, linux of the node's architecture; who prefers native has that first.
 */
export function chooseVariant(input: ChoiceInput): Choice {
  const wasm = input.variants.filter((variant) => variant.kind === "wasm").sort(bySystem);
  const native = input.variants.filter((variant) => variant.kind === "native").sort(byArchitectureLevel);
  const first = wishedVariant(input.wish) ?? input.clusterPrefers ?? "wasm";
  const ordered = first === "native" ? [...native, ...wasm] : [...wasm, ...native];
  const refusals: { variant: Variant; why: string }[] = [];
  for (const variant of ordered) {
    const why = whyNot(input, variant);
    if (why === undefined) return { kind: "chosen", variant, reason: reasonFor(input, variant, refusals) };
    refusals.push({ variant, why });
  }
  if (refusals.length === 0)
    return { kind: "refused", reason: "The image has no variant that could run: neither Wasm nor Linux." };
  const listed = refusals.map(({ variant, why }) => `${name(variant)} ${why}`).join("; ");
  return { kind: "refused", reason: `No variant of the image can run on this node: ${listed}.` };
}

const rank = (variant: WasmVariant): number => {
  const index = wasmSystems.indexOf(variant.platform.os);
  return index < 0 ? wasmSystems.length : index;
};

const bySystem = (a: WasmVariant, b: WasmVariant): number => rank(a) - rank(b);

/** Of several for one architecture the plainest, which runs on every machine of it: `linux/amd64` before `…/v3`. */
const byArchitectureLevel = (a: NativeVariant, b: NativeVariant): number =>
  (a.platform.variant ?? "").localeCompare(b.platform.variant ?? "", "en");

function whyNot(input: ChoiceInput, variant: Variant): string | undefined {
  if (input.wish.startsWith("only-") && variant.kind !== wishedVariant(input.wish)) {
    return `is not wanted: the deployment wants only ${wishedVariant(input.wish) === "wasm" ? "Wasm" : "native"} variants`;
  }
  return (
    input.startFailures?.get(variant.digest) ??
    (variant.kind === "wasm" ? whyNotWasm(input, variant) : whyNotNative(input, variant))
  );
}

function whyNotWasm(input: ChoiceInput, variant: WasmVariant): string | undefined {
  const unmet = input.importsUnmet?.get(variant.digest) ?? unmetImports(input.node, variant);
  if (unmet.length > 0) return `imports ${listed(unmet)}, which this node does not provide`;
  return undefined;
}

/** What the config says that it imports and the node lacks. A config that does not say is given the benefit. */
function unmetImports(node: NodeFeatures, variant: WasmVariant): readonly string[] {
  if (variant.platform.os === "wasip1") {
    return node.wasiFamilies.includes(previewOneFamily) ? [] : [previewOneFamily];
  }
  const imports = variant.component?.imports ?? [];
  return imports.filter((one) => !node.wasiFamilies.includes(importFamily(one)) && !node.wasiFamilies.includes(one));
}

/**
 * The family of an import, within which versions are compatible: `wasi:http/types@0.2.3` is of `wasi:http@0.2`, and
 * `my:pkg/api@1.4.0` of `my:pkg@1` (semantic versioning: below 1.0 the second number breaks).
 */
export function importFamily(name: string): string {
  const [, pkg, major, minor] = /^([^/@]+)(?:\/[^@]+)?(?:@(\d+)\.(\d+).*)?$/.exec(name) ?? [];
  if (pkg === undefined || major === undefined || minor === undefined) return pkg ?? name;
  return major === "0" ? `${pkg}@0.${minor}` : `${pkg}@${major}`;
}

function whyNotNative(input: ChoiceInput, variant: NativeVariant): string | undefined {
  if (!input.node.native) {
    return `cannot run here, because ${input.node.nativeMissing ?? "this node runs no native pods"}`;
  }
  const { architecture, variant: level } = variant.platform;
  if (architecture !== input.architecture) return `is for another architecture than linux/${input.architecture}`;
  // linux/amd64/v3 needs instructions that not every machine has; what this one has, nobody asked it.
  if (architecture === "amd64" && level !== undefined && level !== "v1") return `needs an amd64 of level ${level}`;
  return undefined;
}

function reasonFor(
  input: ChoiceInput,
  variant: Variant,
  refusals: readonly { readonly variant: Variant; readonly why: string }[],
): string {
  const label = capital(name(variant));
  if (wishedVariant(input.wish) === variant.kind) return `${label}, as the deployment asks.`;
  const passedOver = refusals.filter((refusal) => refusal.variant.kind !== variant.kind);
  if (passedOver.length > 0) {
    const whys = passedOver.map((refusal) => `${name(refusal.variant)} ${refusal.why}`).join("; ");
    return `${label}, because ${whys}.`;
  }
  const other = variant.kind === "wasm" ? "native" : "Wasm";
  if (input.wish === "any" && input.clusterPrefers === variant.kind) return `${label}, which this cluster prefers.`;
  if (variant.kind === "native" || wishedVariant(input.wish) === "native")
    return `${label}, because the image has no ${other} variant.`;
  return `${label}: Wasm comes first, and this node provides what it imports.`;
}

const name = (variant: Variant): string =>
  `${variant.kind === "wasm" ? "Wasm" : "native"} variant ${formatPlatform(variant.platform)}`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

// A program that is of another world than this node's lacks some ten interfaces; who has to change it wants to see them all.
const listedMax = 20;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, listedMax).join(", ");
  return names.length > listedMax ? `${shown} and ${names.length - listedMax} more` : shown;
}

/** The machine's architecture, as images write it, from Node's `process.arch`. */
export function imageArchitecture(nodeArchitecture: string): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le", mipsel: "mipsle" };
  return names[nodeArchitecture] ?? nodeArchitecture;
}
