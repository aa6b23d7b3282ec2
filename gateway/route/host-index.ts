import { anyHost } from "@shallop/sdk/api";
import { type Entry, PathTable } from "./path-table.ts";
import type { Match, RoutedRequest, Rule } from "./rule.ts";

/** What one object adds to one host: exact, `*.suffix` or `*`. */
export interface HostEntries {
  readonly host: string;
  readonly entries: readonly Entry[];
}

interface Host {
  readonly entriesByOrigin: Map<string, readonly Entry[]>;
  /** Undefined when an object has changed since. */
  table: PathTable | undefined;
}

/**
 * Hosts to the rules of objects. An object that comes, changes or goes touches its own hosts only, and each of these is
 * compiled again by the first request that asks for it: a thousand changes of one host cost one compilation.
 */
export class HostIndex {
  readonly #hosts = new Map<string, Host>();
  readonly #hostsByOrigin = new Map<string, readonly string[]>();
  /** Suffixes of wildcards: `example.com` for `*.example.com`. */
  #wildcards = 0;

  get size(): number {
    return this.#hosts.size;
  }

  set(origin: string, hosts: readonly HostEntries[]): void {
    this.delete(origin);
    for (const { host, entries } of hosts) {
      const known = this.#hosts.get(host);
      if (known === undefined) {
        this.#hosts.set(host, { entriesByOrigin: new Map([[origin, entries]]), table: undefined });
        if (host.startsWith("*.")) this.#wildcards++;
      } else {
        known.entriesByOrigin.set(origin, [...(known.entriesByOrigin.get(origin) ?? []), ...entries]);
        known.table = undefined;
      }
    }
    if (hosts.length > 0) this.#hostsByOrigin.set(origin, [...new Set(hosts.map(({ host }) => host))]);
  }

  delete(origin: string): void {
    for (const name of this.#hostsByOrigin.get(origin) ?? []) {
      const host = this.#hosts.get(name);
      if (host === undefined) continue;
      host.entriesByOrigin.delete(origin);
      host.table = undefined;
      if (host.entriesByOrigin.size > 0) continue;
      this.#hosts.delete(name);
      if (name.startsWith("*.")) this.#wildcards--;
    }
    this.#hostsByOrigin.delete(origin);
  }

  /** Under its own name or a wildcard. */
  has(host: string): boolean {
    if (this.#hosts.has(host)) return true;
    for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1))
      if (this.#hosts.has(`*${host.slice(dot)}`)) return true;
    return false;
  }

  /** The rule of the host's own name. */
  exact(request: RoutedRequest, mayUse: (rule: Rule) => boolean): Match | undefined {
    return this.#in(request.host, request, mayUse);
  }

  /** The rule of the longest wildcard, or of any host. */
  wild(request: RoutedRequest, mayUse: (rule: Rule) => boolean): Match | undefined {
    const { host } = request;
    if (this.#wildcards > 0) {
      for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
        const match = this.#in(`*${host.slice(dot)}`, request, mayUse);
        if (match !== undefined) return match;
      }
    }
    return this.#in(anyHost, request, mayUse);
  }

  #in(name: string, request: RoutedRequest, mayUse: (rule: Rule) => boolean): Match | undefined {
    const host = this.#hosts.get(name);
    if (host === undefined) return undefined;
    host.table ??= new PathTable([...host.entriesByOrigin.values()].flat());
    return host.table.match(request, mayUse);
  }
}
