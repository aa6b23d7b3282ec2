import type { Socket } from "node:net";
import { breachText, type Clock, instanceReuse, systemRandom } from "@shallop/sdk/internal";
import {
  type RequestHead,
  type StreamHandlers,
  WireConnection,
  WireFault,
  type WireFaultCode,
  type WireStream,
} from "@shallop/sdk/wire";
import type { LoadedComponent } from "../component/engine.ts";
import { Egress } from "../component/egress/egress.ts";
import { ProxiedEgress } from "../component/egress/proxied-egress.ts";
import { addressJudge } from "../component/egress/address-judge.ts";
import { GuestFault } from "../component/guest-fault.ts";
import { guestWatch } from "../component/instance/guest-watch.ts";
import type { GuestSettings } from "../component/wasi/guest-context.ts";
import { GuestCall, type GuestCallSettings } from "./guest-call.ts";
import { guestSettingsOf } from "./guest-settings.ts";
import { InstancePool } from "./instance-pool.ts";
import type { LogRelay } from "./log-relay.ts";
import { gatedInstances, MemoryGate } from "./memory-gate.ts";
import { OpenCalls } from "./open-calls.ts";
import type { PodListener } from "./pod-listener.ts";
import type { ThreadBudget } from "./process-budget.ts";
import { SharedInstances } from "./shared-instances.ts";
import {
  requestNumber,
  sharedNowMs,
  slot,
  startNumber,
  stopCodes,
  type ThreadCommand,
  type ThreadStart,
} from "./thread-protocol.ts";

export interface PodServerSettings {
  readonly start: ThreadStart;
  /** Listens already. */
  readonly listener: PodListener;
  readonly component: LoadedComponent;
  readonly clock: Clock;
  readonly relay: LogRelay;
  /** Where the watchdog looks; see thread-protocol.ts. */
  readonly slots: Float64Array;
  /** The process's; none where nobody else is. */
  readonly budget?: ThreadBudget;
  /** A request has met a limit. */
  readonly breached: (code: WireFaultCode, text: string) => void;
  /** Called once, when the first instance is there; with a fault when the guest's own start has failed. */
  readonly begun: (fault: GuestFault | undefined) => void;
  /** Called once, when the first request has ended. */
  readonly served: () => void;
  /** Called once, when requests have been served and the thread has nothing to do. */
  readonly warmed: () => void;
}

// Instances that wait, for the next request. Those that have been used wait in the component to be used again; making more
// ahead of time would hold up the first request of a pod, which comes milliseconds after its start.
const poolSizeMax = 1;
// With those that wait for an instance: a crowd that all gateways may send at once. One that waits costs some kilobytes.
const callsMax = 10_000;
// A guest that starts more slowly is started for a request, which waits for it, and in that one's time.
const startAheadMsMax = 10_000;
// After the first request: the thread has time for what is no request's business.
const warmedDelayMs = 500;
// A pod that nobody has asked for as long was not started for a request.
const ripenDelayMs = 1_000;

type Interruption = Extract<ThreadCommand, { type: "interrupted" }>;

function egressOf({ start, clock }: PodServerSettings): Egress {
  const judge = addressJudge({ allowed: start.egressAllowed });
  return start.egressSocket === undefined ? new Egress(judge) : new ProxiedEgress(judge, start.egressSocket, clock);
}

/** A pod: a socket that speaks the wire protocol, and an instance for each request. */
export class PodServer {
  readonly #settings: PodServerSettings;
  readonly #pool: InstancePool;
  readonly #gate: MemoryGate;
  readonly #instances: SharedInstances;
  readonly #egress: Egress;
  readonly #listener: PodListener;
  readonly #connections = new Set<WireConnection>();
  readonly #calls: OpenCalls<GuestCall>;
  readonly #callsMax: number;
  readonly #callSettings: GuestCallSettings;
  /** From the clock's scale to the one that the watchdog reads. */
  readonly #sharedOffsetMs: number;
  readonly #running: NonNullable<GuestCallSettings["running"]> = (call, isRunning) =>
    this.#run(isRunning ? call.number : 0, call.deadlineMs, call);
  #onDrained: (() => void) | undefined;
  #hasServed = false;

  constructor(settings: PodServerSettings) {
    this.#settings = settings;
    this.#calls = new OpenCalls(settings.clock);
    this.#sharedOffsetMs = sharedNowMs() - settings.clock.nowMs();
    const { limits } = settings.start;
    this.#callsMax = limits.concurrencyMax === 0 ? callsMax : Math.min(callsMax, limits.concurrencyMax);
    this.#egress = egressOf(settings);
    const reuse = instanceReuse(limits.reuse ?? {}, settings.component.isConcurrent);
    this.#pool = new InstancePool({
      component: settings.component,
      settings: this.#guestSettings(reuse.requestsMax > 1),
      sizeMax: Math.min(poolSizeMax, this.#callsMax),
      starting: (isStarting) => this.#run(isStarting ? startNumber : 0, settings.clock.nowMs() + startAheadMsMax),
      begun: settings.begun,
      clock: settings.clock,
    });
    this.#gate = new MemoryGate(limits.memoryBytes, limits.instancesMax);
    guestWatch.verdict = () => this.#verdict();
    this.#instances = new SharedInstances(gatedInstances(this.#gate, this.#pool), reuse, settings.clock);
    this.#callSettings = this.#makeCallSettings();
    this.#listener = settings.listener;
    this.#listener.accept((socket) => this.#accept(socket));
  }

  /** Makes instances ahead of the first request. */
  warm(): void {
    this.#pool.refill();
    this.#settings.clock.after(ripenDelayMs, () => {
      if (!this.#hasServed && this.#calls.size === 0) this.#pool.ripen();
    });
  }

  /** Of the instances that requests have now. */
  memoryBytes(): number {
    return this.#gate.usedBytes();
  }

  /** Takes no new requests and resolves when the last has ended. */
  drain(): Promise<void> {
    this.#listener.server.close();
    for (const connection of this.#connections) connection.drain();
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
    });
  }

  /**
   * What ran on this thread was taken off it, with whatever was to follow in the same turn of the event loop.
   * @returns false when that was not the guest's own code: what requests share may be half done
   */
  interrupted({ number, code, message }: Interruption): boolean {
    const { breached, slots } = this.#settings;
    const isWell = !guestWatch.inHost && slots[slot.running] === number;
    this.#run(0, 0);
    this.#instances.forgetStarting();
    if (number === startNumber) {
      this.#pool.startFailed();
      breached(code, `${message} It had not begun to serve.`);
    }
    for (const call of this.#calls) {
      if (call.isAtWork && call.number === number) call.interrupted(code, message);
      else if (isWell) call.goOn();
    }
    this.#gate.forgetUnwanted();
    return isWell;
  }

  /** @throws WireFault */
  #refuse(text: string): never {
    this.#settings.breached("REFUSED", text);
    throw new WireFault("REFUSED", text);
  }

  /** What the watchdog says of the guest that is at work. */
  #verdict(): GuestFault | undefined {
    const { slots, start } = this.#settings;
    const running = slots[slot.running];
    if (running === 0 || slots[slot.stop] !== running) return undefined;
    const { cpuTimeMs, requestTimeoutMs } = start.limits;
    return stopCodes[slots[slot.stopCode] ?? 0] === "GUEST_CPU"
      ? new GuestFault("GUEST_CPU", breachText("cpuTimeMs", cpuTimeMs))
      : new GuestFault("GUEST_TIMEOUT", breachText("requestTimeoutMs", requestTimeoutMs));
  }

  async close(): Promise<void> {
    for (const call of this.#calls) call.abort("REFUSED", "the pod has ended");
    for (const connection of this.#connections) connection.destroy();
    this.#listener.server.close();
    this.#instances.close();
    this.#pool.close();
    await this.#egress.close();
  }

  #accept(socket: Socket): void {
    const connection = new WireConnection(socket, {
      request: (head, stream) => this.#request(head, stream),
      closed: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #request(head: RequestHead, stream: WireStream): StreamHandlers {
    const { budget } = this.#settings;
    if (this.#calls.size >= this.#callsMax) this.#refuse(breachText("concurrencyMax", this.#callsMax));
    if (budget?.take("stacks") === false) {
      this.#refuse(
        `The process of this namespace has ${budget.max("stacks")} requests in flight, all that it may have.`,
      );
    }
    const call = new GuestCall(head, stream, this.#callSettings);
    this.#calls.add(call);
    this.#publishDeadline();
    call.run();
    return call;
  }

  #makeCallSettings(): GuestCallSettings {
    const { start, clock, relay, breached } = this.#settings;
    return {
      clock,
      requestTimeoutMs: start.limits.requestTimeoutMs,
      memoryBytesMax: start.limits.memoryBytes,
      instancesMax: start.limits.instancesMax,
      breached,
      running: this.#running,
      instances: this.#instances,
      log: (text, requestHeaders) => relay.line("stderr", text, { requestHeaders }),
      ended: (ended) => this.#ended(ended),
    };
  }

  #ended(call: GuestCall): void {
    this.#calls.delete(call);
    this.#settings.budget?.give("stacks");
    this.#publishDeadline();
    if (this.#calls.size > 0) return;
    this.#pool.refill();
    this.#onDrained?.();
    if (this.#hasServed) return;
    this.#hasServed = true;
    this.#settings.served();
    this.#settings.clock.after(warmedDelayMs, this.#settings.warmed);
  }

  /** Tells the watchdog which request a guest is at work for, and until when it may be. */
  #run(number: number, deadlineMs: number, call?: GuestCall): void {
    const { slots } = this.#settings;
    slots[slot.running] = number;
    if (number === 0) return;
    slots[slot.runningDeadline] = deadlineMs + this.#sharedOffsetMs;
    slots[slot.runningId] = requestNumber(call?.requestId ?? "");
    slots[slot.runningSocket] = call?.stream.descriptor ?? 0;
    slots[slot.runningStream] = call?.stream.id ?? 0;
  }

  /** Tells the watchdog until when this thread must have turned its event loop. */
  #publishDeadline(): void {
    const earliestMs = this.#calls.mostUrgent?.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.#settings.slots[slot.deadline] = earliestMs + this.#sharedOffsetMs;
  }

  #guestSettings(isShared: boolean): () => GuestSettings {
    const { start, clock, relay } = this.#settings;
    const given = { clock, random: systemRandom, egress: this.#egress, isShared };
    return guestSettingsOf(start, given, () => relay.writer());
  }
}
