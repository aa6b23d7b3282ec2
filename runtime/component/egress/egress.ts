import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import type { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { request as httpsRequest } from "node:https";
import { type BoundSocket, isIP, type LookupFunction } from "node:net";
import { Fault } from "@shallop/sdk/internal";
import type { AddressJudge } from "./address-judge.ts";
import { type Datagrams, type DatagramsBind, DirectDatagrams } from "./datagrams.ts";
import { DirectTcp, type OutgoingTcp } from "./outgoing-tcp.ts";

export type EgressFaultCode =
  /** Every address of the host is one that guests may not reach. */
  | "PROHIBITED"
  /** The name does not resolve. */
  | "DNS"
  /** More than a pod may have, or may do in a second. */
  | "LIMIT";

export class EgressFault extends Fault<EgressFaultCode> {}

/** Resolves names to addresses. Tests pass their own. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/** What a guest may do with sockets beside reaching the addresses that pass the judge. */
export interface EgressPolicy {
  /** It may accept connections and datagrams from others: on the loopback addresses of its network, never further. */
  readonly listen: boolean;
}

const outwardOnly: EgressPolicy = { listen: false };

/**
 * The way out of a pod. A name is resolved once, and the connection is made to an address of that answer which has been
 * judged: there is no second look-up that could say something else (DNS rebinding).
 */
export class Egress {
  readonly #judge: AddressJudge;
  readonly #resolve: Resolve;
  readonly policy: EgressPolicy;
  #agents: Promise<EgressAgents> | undefined;

  constructor(judge: AddressJudge, resolve: Resolve = systemResolve, policy: EgressPolicy = outwardOnly) {
    this.#judge = judge;
    this.#resolve = resolve;
    this.policy = policy;
  }

  /** Agents for `node:http` and `node:https`; loaded when a guest first makes a request. */
  agents(): Promise<EgressAgents> {
    this.#agents ??= makeAgents();
    return this.#agents;
  }

  /** Whether guests may reach an IP address. */
  allows(address: string): boolean {
    return this.#judge(address) === undefined;
  }

  /** For a host that is an address already: `node:net` asks no lookup for it. @throws EgressFault PROHIBITED */
  checkLiteral(hostname: string): void {
    const address = hostname.replace(/^\[|\]$/g, "");
    if (isIP(address) === 0) return;
    const reason = this.#judge(address);
    if (reason !== undefined) throw new EgressFault("PROHIBITED", `guests may not reach ${address}: ${reason}`);
  }

  /** The `lookup` option of `node:net`. */
  readonly lookup: LookupFunction = (hostname, options, answer) => {
    this.addressesOf(hostname).then(
      (addresses) => {
        const wanted = addresses.filter(
          (one) => options.family === undefined || options.family === 0 || one.family === options.family,
        );
        const first = wanted[0] ?? addresses[0];
        if (options.all === true) answer(null, wanted.length === 0 ? [...addresses] : [...wanted]);
        else answer(null, first?.address ?? "", first?.family ?? 4);
      },
      (error: unknown) => answer(error instanceof Error ? error : new Error(String(error)), ""),
    );
  };

  /** The addresses of a name that guests may reach; one at least. @throws EgressFault */
  async addressesOf(hostname: string): Promise<readonly LookupAddress[]> {
    let addresses: readonly LookupAddress[];
    try {
      addresses = await this.#resolve(hostname);
    } catch (error) {
      throw new EgressFault("DNS", `resolving ${hostname} failed`, { cause: error });
    }
    const allowed = addresses.filter(({ address }) => this.#judge(address) === undefined);
    const refused = addresses[0];
    if (allowed.length > 0) return allowed;
    if (refused === undefined) throw new EgressFault("DNS", `${hostname} has no address`);
    throw new EgressFault(
      "PROHIBITED",
      `guests may not reach ${hostname} (${refused.address}): ${this.#judge(refused.address) ?? ""}`,
    );
  }

  /** Opens a connection to an address that has been judged. */
  connectTcp(options: TcpOptions): OutgoingTcp {
    return new DirectTcp(options);
  }

  /** A UDP socket; its user judges what is sent where. @throws what bind(2) says */
  openDatagrams(bind: DatagramsBind): Datagrams {
    return new DirectDatagrams(bind);
  }

  async close(): Promise<void> {
    const agents = await this.#agents;
    agents?.http.agent.destroy();
    agents?.https.agent.destroy();
  }
}

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** What the socket was bound to. */
  readonly bound: BoundSocket | undefined;
  readonly keepAlive: KeepAlive;
}

/** When a connection that nobody uses is asked whether it is alive. Times in whole seconds, as tcp(7) takes them. */
export interface KeepAlive {
  readonly enabled: boolean;
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  readonly count: number;
}

export interface EgressAgents {
  readonly http: { readonly request: typeof httpRequest; readonly agent: HttpAgent };
  readonly https: { readonly request: typeof httpsRequest; readonly agent: HttpAgent };
}

/** Of the agents: sockets of one pod to one host are bounded, and more requests wait for one of them. */
export const agentOptions = { keepAlive: true, maxSockets: 32, maxFreeSockets: 8, timeout: 30_000 };

async function makeAgents(): Promise<EgressAgents> {
  const [http, https] = await Promise.all([import("node:http"), import("node:https")]);
  return {
    http: { request: http.request, agent: new http.Agent(agentOptions) },
    https: { request: https.request, agent: new https.Agent(agentOptions) },
  };
}
