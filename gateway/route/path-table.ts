import { compilePattern, type Pattern as Expression } from "@shallop/sdk/api";
import type { CompiledPredicates } from "./predicates.ts";
import type { Match, RoutedRequest, Rule } from "./rule.ts";

export type PathMatch =
  | { readonly kind: "exact"; readonly path: string }
  | { readonly kind: "prefix"; readonly path: string }
  | { readonly kind: "pattern"; readonly pattern: string };

/** One way to one rule. */
export interface Entry {
  readonly path: PathMatch;
  readonly predicates: CompiledPredicates;
  readonly schemes: readonly ("http" | "https")[];
  readonly rule: Rule;
  /** Who comes first among equals: the time of creation, then the name, then the place in its object. */
  readonly createdAt: string;
  readonly origin: string;
  readonly place: number;
}

interface Pattern {
  readonly entry: Entry;
  readonly expression: Expression;
}

interface Node {
  readonly children: Map<string, Node>;
  /** Entries of the prefix that ends here, the first in precedence first. */
  prefixes: Entry[];
  /** Entries whose pattern begins with the literal segments up to here. */
  patterns: Pattern[];
}

const emptyNode = (): Node => ({ children: new Map(), prefixes: [], patterns: [] });

/**
 * The rules of one host by path. Exact paths are found by one lookup in a map; prefixes and patterns in a trie of path
 * segments, so that a request costs as many steps as its path has segments, however many rules there are. Precedence is
 * that of HTTPRoute: exact, then patterns (longest first), then the longest prefix; among these a method, more headers,
 * more query parameters, the older object, its name, the earlier rule.
 */
export class PathTable {
  readonly #exact = new Map<string, Entry[]>();
  readonly #root = emptyNode();

  constructor(entries: readonly Entry[]) {
    // Put in by precedence, so that every list is in order.
    for (const entry of entries.toSorted(byPrecedence)) this.#add(entry);
  }

  match(request: RoutedRequest, mayUse: (rule: Rule) => boolean): Match | undefined {
    const path = pathOf(request.target);
    for (const entry of this.#exact.get(path) ?? none)
      if (fits(entry, request) && mayUse(entry.rule)) return { rule: entry.rule, prefix: path };
    const nodes = this.#walk(path);
    return matchPattern(nodes, path, request, mayUse) ?? matchPrefix(nodes, request, mayUse);
  }

  #add(entry: Entry): void {
    const { path } = entry;
    if (path.kind === "exact") {
      const known = this.#exact.get(path.path);
      if (known === undefined) this.#exact.set(path.path, [entry]);
      else known.push(entry);
      return;
    }
    if (path.kind === "prefix") {
      this.#nodeAt(segmentsOf(path.path)).prefixes.push(entry);
      return;
    }
    const expression = compilePattern(path.pattern);
    if (expression === undefined) return;
    this.#nodeAt(literalSegments(path.pattern)).patterns.push({ entry, expression });
  }

  #nodeAt(segments: readonly string[]): Node {
    let node = this.#root;
    for (const segment of segments) {
      let next = node.children.get(segment);
      if (next === undefined) {
        next = emptyNode();
        node.children.set(segment, next);
      }
      node = next;
    }
    return node;
  }

  /** The nodes along a path, the root first. */
  #walk(path: string): readonly Node[] {
    const nodes: Node[] = [this.#root];
    let node = this.#root;
    let start = 1;
    while (start <= path.length && node.children.size > 0) {
      const slash = path.indexOf("/", start);
      const end = slash === -1 ? path.length : slash;
      const next = node.children.get(path.slice(start, end));
      if (next === undefined) break;
      nodes.push(next);
      node = next;
      start = end + 1;
    }
    return nodes;
  }
}

const none: readonly Entry[] = [];

function matchPattern(
  nodes: readonly Node[],
  path: string,
  request: RoutedRequest,
  mayUse: (rule: Rule) => boolean,
): Match | undefined {
  let best: Entry | undefined;
  for (const { patterns } of nodes) {
    for (const { entry, expression } of patterns) {
      if (best !== undefined && byPrecedence(best, entry) <= 0) break;
      if (fits(entry, request) && expression.test(path) && mayUse(entry.rule)) best = entry;
    }
  }
  return best === undefined ? undefined : { rule: best.rule, prefix: path };
}

function matchPrefix(
  nodes: readonly Node[],
  request: RoutedRequest,
  mayUse: (rule: Rule) => boolean,
): Match | undefined {
  for (let depth = nodes.length - 1; depth >= 0; depth--) {
    for (const entry of nodes[depth]?.prefixes ?? none)
      if (fits(entry, request) && mayUse(entry.rule)) return { rule: entry.rule, prefix: prefixOf(entry) };
  }
  return undefined;
}

const prefixOf = ({ path }: Entry): string => (path.kind === "prefix" ? path.path : "/");

const fits = ({ predicates, schemes }: Entry, request: RoutedRequest): boolean =>
  schemes.includes(request.scheme) && (predicates.holds?.(request) ?? true);

function pathOf(target: string): string {
  const question = target.indexOf("?");
  return question === -1 ? target : target.slice(0, question);
}

/** `/a/b/` and `/a/b` are one prefix (HTTPRoute, PathMatchPathPrefix). */
const segmentsOf = (path: string): readonly string[] =>
  path.split("/").filter((segment, index) => index > 0 && segment !== "");

/** The whole segments at the beginning of a pattern that mean themselves. */
function literalSegments(pattern: string): readonly string[] {
  const [literal = ""] = /^[A-Za-z0-9/_~-]*/.exec(pattern) ?? [];
  // A character that is repeated or left out, and a choice between whole patterns, end what is certain.
  if (pattern.includes("|")) return [];
  const certain = literal.length === pattern.length ? literal : literal.slice(0, -1);
  return certain
    .slice(0, certain.lastIndexOf("/") + 1)
    .split("/")
    .filter((segment) => segment !== "");
}

const rank = { exact: 0, pattern: 1, prefix: 2 } as const;
const lengthOf = ({ path }: Entry): number => (path.kind === "pattern" ? path.pattern.length : path.path.length);

function byPrecedence(a: Entry, b: Entry): number {
  return (
    rank[a.path.kind] - rank[b.path.kind] ||
    lengthOf(b) - lengthOf(a) ||
    Number(b.predicates.hasMethod) - Number(a.predicates.hasMethod) ||
    b.predicates.headerCount - a.predicates.headerCount ||
    b.predicates.queryCount - a.predicates.queryCount ||
    compareText(a.createdAt, b.createdAt) ||
    compareText(a.origin, b.origin) ||
    a.place - b.place
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
