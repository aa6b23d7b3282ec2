/** A request, as far as a revision may tell its pods apart by it. */
export interface AffinityFacts {
  /** The client's address. */
  readonly address: string;
  /** Path and query. */
  readonly target: string;
  /** Flat, names in lower case. */
  readonly headers: readonly string[];
}

/**
 * What requests that belong together have in common, by `balance.shallop.dev/hash-by`: `client`, `path` or `header:NAME`.
 * Undefined for one that has nothing of the kind, or of a revision that does not ask.
 */
export function affinityOf(
  hashBy: string | undefined,
  { address, target, headers }: AffinityFacts,
): string | undefined {
  if (hashBy === undefined) return undefined;
  if (hashBy === "client") return address;
  if (hashBy === "path") return target.split("?", 1)[0];
  const name = hashBy.slice("header:".length).toLowerCase();
  const at = headers.findIndex((item, index) => index % 2 === 0 && item === name);
  return at === -1 ? undefined : headers[at + 1];
}
