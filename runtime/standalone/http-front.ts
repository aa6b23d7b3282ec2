import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { totalmem } from "node:os";
import { type Clock, guestLimitDefaults, instanceReuse, systemRandom } from "@shallop/sdk/internal";
import type { LoadedComponent } from "../component/engine.ts";
import type { Egress } from "../component/egress/egress.ts";
import { guestBounds, type GuestSettings, noGrants, withLog } from "../component/wasi/guest-context.ts";
import { GuestCall, type GuestCallSettings } from "../host/guest-call.ts";
import { InstancePool } from "../host/instance-pool.ts";
import type { LogRelay } from "../host/log-relay.ts";
import { MemoryGate } from "../host/memory-gate.ts";
import { SharedInstances } from "../host/shared-instances.ts";
import { sharedNowMs } from "../host/thread-protocol.ts";
import type { ServeFlags } from "./flags.ts";
import { HttpStream, readRequest } from "./http-stream.ts";

export interface HttpFrontSettings {
  readonly flags: ServeFlags;
  readonly component: LoadedComponent;
  readonly egress: Egress;
  readonly relay: LogRelay;
  readonly clock: Clock;
  /** Where the watchdog looks; see ../host/thread-protocol.ts. */
  readonly deadline: Float64Array;
}

const { instancesMax } = guestLimitDefaults;
// With those that wait for an instance; one that waits costs some kilobytes.
const callsMax = 10_000;
// Of a connection without a request; longer than most clients keep one, so that it is theirs to close.
const idleTimeoutMs = 75_000;
// A stop waits this long for requests that run.
const drainTimeoutMs = 10_000;

/** An HTTP server on an address, and an instance of one component for each of its requests. */
export class HttpFront {
  readonly #settings: HttpFrontSettings;
  readonly #server: Server;
  readonly #calls = new Set<GuestCall>();
  readonly #instances: SharedInstances;
  readonly #callSettings: GuestCallSettings;
  /** From the clock's scale to the one that the watchdog reads. */
  readonly #sharedOffsetMs: number;
  #closing = false;
  #drained: (() => void) | undefined;

  constructor(settings: HttpFrontSettings) {
    this.#settings = settings;
    const { component, clock, flags } = settings;
    const guestSettings = this.#guestSettings();
    // Nothing is made ahead: a guest that spins while it starts does so under the deadline of a request.
    const pool = new InstancePool({ component, settings: guestSettings, sizeMax: 0, clock });
    const gate = new MemoryGate(totalmem(), instancesMax);
    this.#instances = new SharedInstances(
      (wanted, starting) => gate.take(() => pool.take(starting), wanted),
      instanceReuse(flags.reuse, component.isConcurrent),
      clock,
    );
    this.#callSettings = this.#makeCallSettings();
    this.#sharedOffsetMs = sharedNowMs() - clock.nowMs();
    const options = { keepAliveTimeout: idleTimeoutMs };
    this.#server = createServer(options, (incoming, outgoing) => this.#request(incoming, outgoing));
  }

  /** @returns the port; @throws what listening throws */
  async listen(): Promise<number> {
    const { host, port } = this.#settings.flags.address;
    await once(this.#server.listen(port, host), "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connections, waits for the requests that run, and cuts off those that take too long. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = once(this.#server, "close");
    this.#server.close();
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        this.#settings.clock.after(drainTimeoutMs, resolve);
      });
    }
    for (const call of this.#calls) call.abort("REFUSED", "the server has been stopped");
    this.#instances.close();
    this.#server.closeIdleConnections();
    // An answer's last bytes are on their way.
    this.#settings.clock.after(drainTimeoutMs, () => this.#server.closeAllConnections());
    await closed;
  }

  #request(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const requestId = systemRandom.uuid();
    const { head, hasBody } = readRequest(incoming, { requestId, timeoutMs: this.#settings.flags.timeoutMs });
    const stream = new HttpStream(incoming, outgoing, { requestId, hasBody });
    if (this.#closing || this.#calls.size >= callsMax) return stream.abort("REFUSED");
    const call = new GuestCall(head, stream, this.#callSettings);
    this.#calls.add(call);
    this.#publishDeadline();
    stream.handle(call.handlers());
    void call.run();
  }

  #ended(call: GuestCall): void {
    this.#calls.delete(call);
    this.#publishDeadline();
    if (this.#calls.size === 0) this.#drained?.();
  }

  /** All have the same time, so that the oldest call is the most urgent. */
  #publishDeadline(): void {
    const [oldest] = this.#calls;
    this.#settings.deadline[0] =
      oldest === undefined ? Number.POSITIVE_INFINITY : oldest.deadlineMs + this.#sharedOffsetMs;
  }

  #makeCallSettings(): GuestCallSettings {
    const { flags, clock, relay } = this.#settings;
    return {
      clock,
      requestTimeoutMs: flags.timeoutMs,
      memoryBytesMax: flags.memoryBytesMax,
      instancesMax,
      // The log says it already, and there is no pod to have events.
      breached: () => undefined,
      takeInstance: this.#instances.take,
      log: (text) => relay.line("stderr", text),
      ended: (ended) => this.#ended(ended),
    };
  }

  #guestSettings(): () => GuestSettings {
    const { flags, clock, egress, relay } = this.#settings;
    const always = {
      ...noGrants,
      environment: flags.environment,
      directories: flags.directories,
      clock,
      random: systemRandom,
      egress,
      bounds: guestBounds,
    };
    return () => withLog(always, relay.writer());
  }
}
