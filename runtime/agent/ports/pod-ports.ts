import { type Duplex, duplexPair } from "node:stream";
import type { Run } from "../../pod/pod-state.ts";
import { dialAddress, dialPod, type PodAddress } from "../tunnel.ts";
import { ComponentFront } from "./component-front.ts";
import { addressTarget, type PortTarget } from "./host-ports.ts";

/**
 * The ports of a pod that runs, as others use them. A component has none of its own: whichever is asked for, it answers
 * HTTP there.
 */
export class PodPorts implements PortTarget, Disposable {
  readonly run: Run;
  readonly #behind: { readonly address: Omit<PodAddress, "port"> } | { readonly front: ComponentFront };

  constructor(run: Run, requestTimeoutMs: number) {
    this.run = run;
    const { endpoint } = run;
    this.#behind =
      endpoint.protocol === "http1"
        ? { address: endpoint }
        : { front: new ComponentFront({ dial: () => dialPod(endpoint), requestTimeoutMs }) };
  }

  connect(client: Duplex, port: number): void {
    if ("front" in this.#behind) this.#behind.front.serve(client);
    else addressTarget(this.#behind.address).connect(client, port);
  }

  /** Resolves with the other end when it is connected. @throws AgentFault POD_UNREACHABLE */
  dial(port: number): Promise<Duplex> {
    if ("address" in this.#behind) return dialAddress({ ...this.#behind.address, port });
    const [near, far] = duplexPair();
    this.#behind.front.serve(far);
    return Promise.resolve(near);
  }

  datagramsTo(port: number): ReturnType<PortTarget["datagramsTo"]> {
    return "address" in this.#behind ? addressTarget(this.#behind.address).datagramsTo(port) : undefined;
  }

  [Symbol.dispose](): void {
    if ("front" in this.#behind) this.#behind.front[Symbol.dispose]();
  }
}
