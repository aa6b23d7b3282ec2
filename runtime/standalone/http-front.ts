import { totalmem } from "node:os";
import { type Clock, guestLimitDefaults, instanceReuse, systemRandom } from "@shallop/sdk/internal";
import type { RequestHead } from "@shallop/sdk/wire";
import type { LoadedComponent } from "../component/engine.ts";
import type { Egress } from "../component/egress/egress.ts";
import { guestBounds, type GuestSettings, noGrants, withLog } from "../component/wasi/guest-context.ts";
import { GuestCall, type GuestCallSettings } from "../host/guest-call.ts";
import { InstancePool } from "../host/instance-pool.ts";
import type { LogRelay } from "../host/log-relay.ts";
import { gatedInstances, MemoryGate } from "../host/memory-gate.ts";
import { OpenCalls } from "../host/open-calls.ts";
import { SharedInstances } from "../host/shared-instances.ts";
import { sharedNowMs, slot } from "../host/thread-protocol.ts";
import type { ServeFlags } from "./flags.ts";
import type { HttpExchange } from "./http/http-exchange.ts";
import { HttpListener } from "./http/http-listener.ts";
import type { AnswerTable } from "./http/open-answers.ts";
import type { ReceivedHead } from "./http/request-head.ts";

export interface HttpFrontSettings {
  readonly flags: ServeFlags;
  readonly component: LoadedComponent;
  readonly egress: Egress;
  readonly relay: LogRelay;
  readonly clock: Clock;
  /** Where the watchdog looks; see ../host/thread-protocol.ts. */
  readonly slots: Float64Array;
  readonly answers: AnswerTable;
}

const { instancesMax } = guestLimitDefaults;
// With those that wait for an instance; one that waits costs some kilobytes.
const callsMax = 10_000;
// A stop waits this long for requests that run.
const drainTimeoutMs = 10_000;

/** An HTTP server on an address, and an instance of one component for each of its requests. */
export class HttpFront {
  readonly #settings: HttpFrontSettings;
  readonly #listener: HttpListener;
  readonly #calls: OpenCalls<GuestCall>;
  readonly #instances: SharedInstances;
  readonly #callSettings: GuestCallSettings;
  /** From the clock's scale to the one that the watchdog reads. */
  readonly #sharedOffsetMs: number;
  #drained: (() => void) | undefined;

  constructor(settings: HttpFrontSettings) {
    this.#settings = settings;
    this.#calls = new OpenCalls(settings.clock);
    const { component, clock, flags } = settings;
    const reuse = instanceReuse(flags.reuse, component.isConcurrent);
    const guestSettings = this.#guestSettings(reuse.requestsMax > 1);
    // Nothing is made ahead: a guest that spins while it starts does so under the deadline of a request.
    const pool = new InstancePool({ component, settings: guestSettings, sizeMax: 0, clock });
    const gate = new MemoryGate(totalmem(), instancesMax);
    this.#instances = new SharedInstances(gatedInstances(gate, pool), reuse, clock);
    this.#callSettings = this.#makeCallSettings();
    this.#sharedOffsetMs = sharedNowMs() - clock.nowMs();
    this.#listener = new HttpListener({
      clock,
      random: systemRandom,
      request: (head, exchange, requestId) => this.#request(head, exchange, requestId),
      answers: settings.answers,
    });
  }

  /** @param socket descriptor of one that listens already @returns the port; @throws what listening throws */
  listen(socket?: number): Promise<number> {
    return this.#listener.listen(socket === undefined ? this.#settings.flags.address : { fd: socket });
  }

  /** Takes no new connections, waits for the requests that run, and cuts off those that take too long. */
  async close(): Promise<void> {
    this.#listener.stopTaking();
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        this.#settings.clock.after(drainTimeoutMs, resolve);
      });
    }
    for (const call of this.#calls) call.abort("REFUSED", "the server has been stopped");
    this.#instances.close();
    // An answer's last bytes are on their way.
    await this.#listener.close(drainTimeoutMs);
  }

  #request({ method, target, authority, headers }: ReceivedHead, exchange: HttpExchange, requestId: string): void {
    if (this.#listener.isClosing || this.#calls.size >= callsMax) return exchange.abort("REFUSED");
    const { timeoutMs } = this.#settings.flags;
    const head: RequestHead = { method, target, scheme: "http", authority, headers, requestId, timeoutMs };
    const call = new GuestCall(head, exchange, this.#callSettings);
    this.#calls.add(call);
    this.#publishDeadline();
    exchange.handle(call);
    call.run();
  }

  #ended(call: GuestCall): void {
    this.#calls.delete(call);
    this.#publishDeadline();
    if (this.#calls.size === 0) this.#drained?.();
  }

  #publishDeadline(): void {
    const earliestMs = this.#calls.mostUrgent?.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.#settings.slots[slot.deadline] = earliestMs + this.#sharedOffsetMs;
  }

  /** Tells the main thread whose guest it is, should it not give this thread back. */
  #running(call: GuestCall, isRunning: boolean): void {
    this.#settings.slots[slot.runningSocket] = isRunning ? (call.stream.descriptor ?? 0) : 0;
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
      running: (call, isRunning) => this.#running(call, isRunning),
      instances: this.#instances,
      log: (text, requestHeaders) => relay.line("stderr", text, { requestHeaders }),
      ended: (ended) => this.#ended(ended),
    };
  }

  #guestSettings(isShared: boolean): () => GuestSettings {
    const { flags, clock, egress, relay } = this.#settings;
    const always = {
      ...noGrants,
      environment: flags.environment,
      directories: flags.directories,
      clock,
      random: systemRandom,
      egress,
      bounds: guestBounds,
      isShared,
    };
    return () => withLog(always, relay.writer());
  }
}
