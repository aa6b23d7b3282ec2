/** What a WASI `result` that is an error carries: the engine throws it wrapped in an Error. */
export function payloadOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "payload" in error ? error.payload : error;
}

/** The case of a variant, or undefined when the value is none. */
export function tagOf(variant: unknown): string | undefined {
  if (typeof variant !== "object" || variant === null || !("tag" in variant)) return undefined;
  return typeof variant.tag === "string" ? variant.tag : undefined;
}
