import { annotation } from "./names.ts";

/**
 * Which variant of an image its owner wants: one first and the other where it will not do, or one and no other. `any`
 * leaves it to the node, which takes Wasm first unless its cluster says otherwise.
 */
export type VariantWish = "any" | "wasm" | "native" | "only-wasm" | "only-native";

export const variantKinds: readonly string[] = ["wasm", "native"];

/** As a revision's or pod's annotations say; what they say wrongly counts as not said. */
export function variantWishOf(annotations: Readonly<Record<string, string>> | undefined): VariantWish {
  const only = annotations?.[annotation.onlyVariant];
  if (only === "wasm" || only === "native") return `only-${only}`;
  const preferred = annotations?.[annotation.preferVariant];
  return preferred === "wasm" || preferred === "native" ? preferred : "any";
}

/** The kind that a wish names; undefined: none. */
export function wishedVariant(wish: VariantWish): "wasm" | "native" | undefined {
  if (wish === "any") return undefined;
  return wish.endsWith("wasm") ? "wasm" : "native";
}
