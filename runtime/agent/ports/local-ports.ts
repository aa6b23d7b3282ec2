import type { PodSpec } from "@shallop/sdk/api";
import type { Clock } from "@shallop/sdk/internal";
import type { Run } from "../../pod/pod-state.ts";
import { hostPortsOf } from "./host-port.ts";
import { HostPorts } from "./host-ports.ts";
import { PodPorts } from "./pod-ports.ts";

/** The ports of a pod of this node: its own while it runs, and the node's that lead to them, from before its start on. */
export class LocalPorts {
  readonly #requestTimeoutMs: number;
  readonly #clock: Clock;
  #hostPorts: HostPorts | undefined;
  #podPorts: PodPorts | undefined;

  constructor(requestTimeoutMs: number, clock: Clock) {
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#clock = clock;
  }

  /** Those of the pod's `run`, for whoever connects to it; undefined: it does not run. */
  of(run: Run | undefined): PodPorts | undefined {
    if (this.#podPorts?.run !== run) {
      this.#podPorts?.[Symbol.dispose]();
      this.#podPorts = run === undefined ? undefined : new PodPorts(run, this.#requestTimeoutMs);
    }
    return this.#podPorts;
  }

  /**
   * Takes the ports of the node that the pod asks for, in place of those that it had; gives them back at once when it does
   * not hold room any more by then. @throws PodFault NO_CAPACITY when one is somebody else's
   */
  async take(spec: PodSpec, holdsRoom: () => boolean): Promise<void> {
    const wanted = hostPortsOf(spec);
    if (wanted.length === 0) return;
    this.giveBack();
    const taken = await HostPorts.open(wanted, this.#clock);
    // It may have been stopped meanwhile.
    if (holdsRoom()) this.#hostPorts = taken;
    else taken[Symbol.dispose]();
  }

  /** The node's ports lead to the pod's `run` from now on. */
  lead(run: Run | undefined): void {
    const ports = this.of(run);
    if (ports !== undefined) this.#hostPorts?.lead(ports);
  }

  giveBack(): void {
    this.#hostPorts?.[Symbol.dispose]();
    this.#podPorts?.[Symbol.dispose]();
    this.#hostPorts = this.#podPorts = undefined;
  }
}
