import { clusterDomain } from "@shallop/sdk/api";
import type { NameRecords } from "./name-answer.ts";

/** What a name of the cluster comes to. */
export type AliasEnd =
  | { readonly kind: "own"; readonly aliases: readonly string[]; readonly records: NameRecords }
  /** The last alias is nobody's in the cluster: others know its addresses. */
  | { readonly kind: "outside"; readonly aliases: readonly string[]; readonly name: string }
  /** There is no such name, or the aliases lead round in a circle or on and on. */
  | { readonly kind: "nowhere" };

/** As many as Kubernetes' own name server follows. */
const aliasesMax = 8;

/** Whether a name is the cluster's to answer, and nobody's business outside. */
export const isClusterName = (name: string): boolean => name === clusterDomain || name.endsWith(`.${clusterDomain}`);

/** Follows the aliases of a name as far as the cluster knows them. */
export function followAlias(first: string, recordsOf: (name: string) => NameRecords | undefined): AliasEnd {
  const aliases: string[] = [];
  let records = recordsOf(first);
  while (records?.alias !== undefined && aliases.length < aliasesMax) {
    const name = records.alias;
    aliases.push(name);
    if (!isClusterName(name)) return { kind: "outside", aliases, name };
    records = recordsOf(name);
  }
  return records === undefined || records.alias !== undefined ? { kind: "nowhere" } : { kind: "own", aliases, records };
}
