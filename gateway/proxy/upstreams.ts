import { Agent as HttpsAgent } from "node:https";
import type { Duplex } from "node:stream";
import type { Clock } from "@shallop/sdk/internal";
import type { NodeTarget, PodTarget, RevisionTarget } from "../route/target.ts";
import { type AgentTls, askAgent, dialAddress, dialReading, dialSocket, dialTunnel } from "./dial.ts";
import { GatewayFault } from "./fault-status.ts";
import { HttpUpstream } from "./http-upstream.ts";
import { Http2Upstream } from "./http2-upstream.ts";
import { NodePulse } from "./node-pulse.ts";
import type { Upstream } from "./upstream.ts";
import { WireUpstream } from "./wire-upstream.ts";

export interface UpstreamsOptions {
  readonly clock: Clock;
  /** Identity of this machine. */
  readonly machine: string;
  /** Undefined when only pods of this machine can be reached. */
  readonly tls: AgentTls | undefined;
  readonly node: (name: string) => NodeTarget | undefined;
  /** A pod asks for no new requests. */
  readonly draining: (pod: PodTarget) => void;
}

// One, and another beside it when the first question is still without an answer.
const pulseConnectionsMax = 2;

interface Kept {
  readonly upstream: Upstream;
  readonly pod: PodTarget;
  readonly direct: boolean;
}

/** The ways to all pods, by uid; made when the first request goes there. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #keptByUid = new Map<string, Kept>();
  /** By address of the agent: a node that comes back elsewhere has nothing to do with what was lost. */
  readonly #pulses = new Map<string, NodePulse>();
  readonly #pulseConnections = new HttpsAgent({ keepAlive: true, maxFreeSockets: pulseConnectionsMax });

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  of(pod: PodTarget, revision: RevisionTarget): Upstream {
    const kept = this.#keptByUid.get(pod.uid);
    // A node may become known after its pods, and a way through its agent is no way for long on the same machine.
    const direct = this.#isDirect(pod);
    if (kept?.pod === pod && kept.direct === direct) return kept.upstream;
    if (kept !== undefined && kept.direct === direct && sameEndpoint(kept.pod, pod)) {
      this.#keptByUid.set(pod.uid, { ...kept, pod });
      return kept.upstream;
    }
    kept?.upstream.retire();
    const upstream = this.#make(pod, revision, direct);
    this.#keptByUid.set(pod.uid, { upstream, pod, direct });
    return upstream;
  }

  /** The pod is gone: what runs goes on, and then its connections are closed. */
  retire(uid: string): void {
    this.#keptByUid.get(uid)?.upstream.retire();
    this.#keptByUid.delete(uid);
  }

  close(): void {
    for (const uid of this.#keptByUid.keys()) this.retire(uid);
    for (const pulse of this.#pulses.values()) pulse.close();
    this.#pulseConnections.destroy();
  }

  #isDirect(pod: PodTarget): boolean {
    return this.#options.node(pod.node)?.machine === this.#options.machine;
  }

  #make(pod: PodTarget, revision: RevisionTarget, direct: boolean): Upstream {
    const { clock, draining } = this.#options;
    const { endpoint } = pod;
    const tunnel = (): Promise<Duplex> => this.#tunnel(pod);
    if (endpoint.protocol === "wire") {
      const dial = direct ? () => dialSocket(endpoint.socket, clock) : tunnel;
      return new WireUpstream({ dial, isNear: direct, draining: () => draining(pod) });
    }
    if (revision.isHttp2) return new Http2Upstream(direct ? () => dialAddress(endpoint, clock) : tunnel);
    return new HttpUpstream({ clock, dial: direct ? () => dialReading(endpoint, clock) : tunnel });
  }

  async #tunnel(pod: PodTarget): Promise<Duplex> {
    const { clock, node, tls } = this.#options;
    const agentAddress = node(pod.node)?.agentAddress;
    if (agentAddress === undefined || tls === undefined)
      throw new GatewayFault("CONNECT_FAILED", `pod ${pod.name} is on node ${pod.node}, whose agent cannot be reached`);
    if (this.#pulses.get(agentAddress)?.isLost === true)
      throw new GatewayFault(
        "CONNECT_FAILED",
        `pod ${pod.name} is on node ${pod.node}, which does not answer any more`,
      );
    const tunnel = await dialTunnel({ agentAddress, podUid: pod.uid, tls, clock });
    this.#pulseOf(agentAddress, tls).watch(tunnel);
    return tunnel;
  }

  #pulseOf(agentAddress: string, tls: AgentTls): NodePulse {
    const known = this.#pulses.get(agentAddress);
    if (known !== undefined) return known;
    // An agent that was started again has another address: those that went are forgotten when one comes.
    for (const [address, pulse] of this.#pulses) if (pulse.isIdle) this.#pulses.delete(address);
    const { clock } = this.#options;
    const kept = this.#pulseConnections;
    const pulse = new NodePulse({ clock, ask: () => askAgent({ agentAddress, tls, clock, kept }) });
    this.#pulses.set(agentAddress, pulse);
    return pulse;
  }
}

function sameEndpoint(a: PodTarget, b: PodTarget): boolean {
  if (a.node !== b.node) return false;
  const [one, other] = [a.endpoint, b.endpoint];
  if (one.protocol === "wire") return other.protocol === "wire" && one.socket === other.socket;
  if (other.protocol === "wire") return false;
  return one.host === other.host && one.port === other.port && one.gate === other.gate;
}
