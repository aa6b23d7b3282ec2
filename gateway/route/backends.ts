import type { Random } from "@shallop/sdk/internal";
import type { HeaderChanges } from "./filters.ts";
import { type TrafficSplit, WeightedDeck } from "./split.ts";

/** What requests of a rule may go to, before it is known whether it exists. */
export interface Backend {
  readonly weight: number;
  /** `NAMESPACE/NAME` of a Knative Route, or of a Service of core/v1 where there is no such Route. */
  readonly key: string;
  /** A Service of core/v1 is not meant. */
  readonly isKnative: boolean;
  /** Why it may not be used: it is of a namespace that has not granted it, or of an unknown kind. */
  readonly isRefused: boolean;
  readonly requestHeaders?: HeaderChanges | undefined;
  readonly responseHeaders?: HeaderChanges | undefined;
}

/** What is there by now, looked up for each request: routes and services come and go without a new compilation. */
export interface BackendSource {
  /** The split of a Knative Route. */
  split(key: string): TrafficSplit | undefined;
  /** The dispatcher's key for the pods of a Service of core/v1. */
  service(key: string): string | undefined;
}

export interface Picked {
  readonly backend: Backend | undefined;
  /** Key of a revision, or of a Service's pods; undefined: the backend is not there, or has no share. */
  readonly target: string | undefined;
}

/** The weighted backends of one rule. */
export class Backends {
  readonly #backends: readonly Backend[];
  readonly #deck: WeightedDeck;

  constructor(backends: readonly Backend[]) {
    this.#backends = backends.filter(({ weight }) => weight > 0);
    this.#deck = new WeightedDeck(this.#backends.map(({ weight }) => weight));
  }

  /** No request can be answered by it. */
  get isEmpty(): boolean {
    return this.#backends.length === 0;
  }

  pick(source: BackendSource, random: Random): Picked {
    const backend = this.#backends[this.#deck.next(random)];
    return { backend, target: backend === undefined ? undefined : resolve(backend, source, random) };
  }

  /** The target whose name gives `token`, while requests still go to it. */
  pickSticky(token: string, source: BackendSource): Picked | undefined {
    for (const backend of this.#backends) {
      const target = targetsOf(backend, source).find((name) => stickyToken(name) === token);
      if (target !== undefined) return { backend, target };
    }
    return undefined;
  }
}

function resolve(backend: Backend, source: BackendSource, random: Random): string | undefined {
  if (backend.isRefused) return undefined;
  const split = source.split(backend.key);
  if (split !== undefined) return split.next(random);
  return backend.isKnative ? undefined : source.service(backend.key);
}

function targetsOf(backend: Backend, source: BackendSource): readonly string[] {
  if (backend.isRefused) return [];
  const split = source.split(backend.key);
  if (split !== undefined) return split.revisions;
  const service = backend.isKnative ? undefined : source.service(backend.key);
  return service === undefined ? [] : [service];
}

/**
 * What a client's cookie says of the revision that it was given: FNV-1a of its name, 52 bits in base 36. It is no
 * secret, and names nothing that a client could not ask for.
 */
export function stickyToken(target: string): string {
  let low = 0x811c9dc5;
  let high = 0x1000193;
  for (let index = 0; index < target.length; index++) {
    const code = target.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193) >>> 0;
    high = Math.imul(high ^ (code + index), 0x01000193) >>> 0;
  }
  return ((high & 0xfffff) * 0x100000000 + low).toString(36);
}
