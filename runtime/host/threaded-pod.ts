import { getHeapStatistics } from "node:v8";
import { breachText, describeError, systemClock } from "@shallop/sdk/internal";
import { componentEngine } from "../component/component-engine.ts";
import type { LoadedComponent } from "../component/engine.ts";
import type { GuestFault } from "../component/guest-fault.ts";
import { artifactOf, inDirectory, type PreparedFiles, readPreparedFiles } from "../component/prepared-files.ts";
import { BreachNotices } from "./breach-notices.ts";
import { LogRelay } from "./log-relay.ts";
import type { PodListener } from "./pod-listener.ts";
import { PodServer } from "./pod-server.ts";
import type { ParkedComponents } from "./parked-components.ts";
import type { ThreadBudget } from "./process-budget.ts";
import type { ThreadCommand, ThreadEvent, ThreadStart } from "./thread-protocol.ts";

export interface ThreadedPodSettings {
  readonly start: ThreadStart;
  /** Listens already. */
  readonly listener: PodListener;
  readonly slots: Float64Array;
  readonly budget: ThreadBudget;
  readonly send: (event: ThreadEvent) => void;
  /** What the thread's earlier pods have left. */
  readonly parked: ParkedComponents;
}

/** A pod in its thread, which may serve another one of the same tenant when this one is over. */
export class ThreadedPod {
  readonly #settings: ThreadedPodSettings;
  readonly #relay: LogRelay;
  readonly #notices: BreachNotices;
  #files: PreparedFiles | undefined;
  #component: LoadedComponent | undefined;
  #server: PodServer | undefined;
  #isDrained = false;
  #wasInterrupted = false;
  #isOver = false;

  constructor(settings: ThreadedPodSettings) {
    this.#settings = settings;
    const { preparedDir, limits } = settings.start;
    this.#notices = new BreachNotices(systemClock, (reason, message) =>
      this.#tell({ type: "noticed", reason, message }),
    );
    this.#relay = new LogRelay({
      clock: systemClock,
      send: (lines) => this.#tell({ type: "logged", lines }),
      lossy: () => this.#met("LOG_RATE", breachText("logBytesPerS", limits.logBytesPerS)),
    });
    this.#relay.limit(limits.logBytesPerS);
    this.#component = settings.parked.take(settings.start);
    if (this.#component !== undefined) return;
    // While the main thread compiles. What cannot be read is told of when the modules are there.
    try {
      this.#files = readPreparedFiles(inDirectory(preparedDir));
    } catch {
      this.#files = undefined;
    }
  }

  serve({ modules, glueCache: warmCache }: Extract<ThreadCommand, { type: "modules" }>): void {
    const { start, listener, slots, budget } = this.#settings;
    try {
      const component = this.#component ?? componentEngine.load(artifactOf(this.#takeFiles(), modules, warmCache));
      this.#component = component;
      const warmed = (): void => {
        // A thread that had a warm cache has nothing to add to it.
        if (warmCache === undefined && component.glueCache !== undefined) this.#shareGlueCache(component.glueCache());
      };
      this.#server = new PodServer({
        ...{ start, listener, component, clock: systemClock, relay: this.#relay, slots, budget, warmed },
        begun: (fault) => this.#begun(fault),
        served: () => this.#tell({ type: "served" }),
        breached: (code, text) => this.#met(code, text),
      });
      this.#server.warm();
    } catch (error) {
      this.#tell({ type: "failed", code: "EXITED", message: describeError(error) });
    }
  }

  /** One that traps at its start is no pod. What has met a limit there is told of it by a request, as one that comes late would be. */
  #begun(fault: GuestFault | undefined): void {
    if (fault?.code === "GUEST_FAILED") this.#tell({ type: "failed", code: "EXITED", message: fault.message });
    else this.#tell({ type: "loaded" });
  }

  /** A limit was met. */
  #met(code: string, text: string): void {
    this.#settings.budget.breaches.add(code);
    this.#notices.met(code, text);
  }

  #takeFiles(): PreparedFiles {
    const files = this.#files ?? readPreparedFiles(inDirectory(this.#settings.start.preparedDir));
    this.#files = undefined;
    return files;
  }

  /** What it holds, and its thread. */
  memoryBytes(): number {
    return getHeapStatistics().used_heap_size + (this.#server?.memoryBytes() ?? 0);
  }

  interrupted(command: Extract<ThreadCommand, { type: "interrupted" }>): void {
    this.#wasInterrupted = true;
    const isWell = this.#server?.interrupted(command) ?? false;
    // After what the request that was ended is told has left.
    setImmediate(() => this.#tell({ type: "interrupted", isWell }));
  }

  async drain(): Promise<void> {
    await this.#server?.drain();
    await this.#server?.close();
    this.#relay.flush();
    this.#isDrained = true;
    this.#tell({ type: "drained" });
  }

  /**
   * Nothing of it is heard any more; its component is parked.
   * @returns whether the thread may have another pod. Not where requests are left, a guest was taken off the thread, or bindings were
   * generated for the component, which are JavaScript that others would share
   */
  end(): boolean {
    this.#isOver = true;
    const component = this.#component;
    if (!this.#isDrained || this.#wasInterrupted || component?.rest === undefined) return false;
    this.#settings.parked.park(this.#settings.start, component);
    return true;
  }

  #tell(event: ThreadEvent): void {
    if (!this.#isOver) this.#settings.send(event);
  }

  #shareGlueCache(cache: Uint8Array): void {
    const shared = new Uint8Array(new SharedArrayBuffer(cache.length));
    shared.set(cache);
    this.#tell({ type: "glue-cache", glueCache: shared });
  }
}
