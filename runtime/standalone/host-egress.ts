import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import type { request as httpRequest, RequestOptions } from "node:http";
import type { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { Egress, type EgressAgents, EgressFault, type Resolve } from "../component/egress/egress.ts";
import type { AllowedHost } from "./flags.ts";
import { StandaloneFault } from "./standalone-fault.ts";

/** A host of --allow-host with its addresses. */
export interface ResolvedHost extends AllowedHost {
  readonly addresses: readonly LookupAddress[];
}

const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * Once, before the guest starts: what a name leads to later changes nothing. The user has named these hosts, so that
 * private addresses are as good as any. @throws StandaloneFault HOST_UNKNOWN
 */
export async function resolveHosts(
  hosts: readonly AllowedHost[],
  resolve: Resolve = systemResolve,
): Promise<readonly ResolvedHost[]> {
  return Promise.all(
    hosts.map(async ({ host, port }) => {
      const family = isIP(host);
      if (family !== 0) return { host, port, addresses: [{ address: host, family }] };
      const addresses = await resolve(host).catch((error: unknown) => {
        const message = `--allow-host ${host}: the name has no address; check its spelling`;
        throw new StandaloneFault("HOST_UNKNOWN", message, { cause: error });
      });
      return { host, port, addresses };
    }),
  );
}

/** A way out to `hosts` and to nothing else. */
export const allowListEgress = (hosts: readonly ResolvedHost[]): Egress => new AllowListEgress(hosts);

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, "").toLowerCase();

class AllowListEgress extends Egress {
  readonly #hosts: readonly ResolvedHost[];
  #checked: Promise<EgressAgents> | undefined;

  constructor(hosts: readonly ResolvedHost[]) {
    // Sockets are judged by address alone: a host that is allowed on one port only is for HTTP.
    const open = hosts.filter(({ port }) => port === undefined).flatMap(({ addresses }) => addresses);
    super((address) => (open.some((one) => one.address === address) ? undefined : "no --allow-host names it"));
    this.#hosts = hosts;
  }

  override checkLiteral(hostname: string): void {
    if (isIP(bare(hostname)) !== 0 && this.#entries(hostname).length === 0) throw prohibited(hostname);
  }

  override async addressesOf(hostname: string): Promise<readonly LookupAddress[]> {
    const addresses = this.#entries(hostname).flatMap((entry) => entry.addresses);
    if (addresses.length === 0) throw prohibited(hostname);
    return addresses;
  }

  override agents(): Promise<EgressAgents> {
    this.#checked ??= super.agents().then(({ http, https }) => ({
      http: { agent: http.agent, request: this.#portChecked(http.request, 80) as typeof httpRequest },
      https: { agent: https.agent, request: this.#portChecked(https.request, 443) as typeof httpsRequest },
    }));
    return this.#checked;
  }

  #portChecked(request: (options: RequestOptions) => unknown, portDefault: number) {
    return (options: RequestOptions): unknown => {
      const hostname = options.hostname ?? "";
      const port = Number(options.port ?? portDefault);
      const allowed = this.#entries(hostname).some((entry) => entry.port === undefined || entry.port === port);
      if (!allowed) throw prohibited(`${hostname}:${port}`);
      return request(options);
    };
  }

  /** By name; an address also by the names that led to it. */
  #entries(hostname: string): readonly ResolvedHost[] {
    const wanted = bare(hostname);
    return this.#hosts.filter(
      ({ host, addresses }) => host === wanted || addresses.some(({ address }) => address === wanted),
    );
  }
}

const prohibited = (what: string): EgressFault =>
  new EgressFault("PROHIBITED", `guests may not reach ${what}: no --allow-host names it`);
