import { ImageSources } from "./fork/image-sources.ts";
import { KeptForks } from "./fork/kept-forks.ts";
import { type CapturedInstance, captureInstances, type InstanceImage } from "./fork/instance-image.ts";
import { type GuestFault, guestFaultOf } from "./guest-fault.ts";
import type { Engine, GuestRequest, GuestResponse, Instance, LinkedArtifact, LoadedComponent } from "./engine.ts";
import { familyOf, HostBinding } from "./instance/host-binding.ts";
import { LinkedComponent } from "./instance/linked-component.ts";
import { LiveInstance } from "./instance/live-instance.ts";
import { giveMemories, keepMemories, takeMemories } from "./instance/memory-budget.ts";
import type { Callee } from "./link/link-plan.ts";
import { entryOf } from "./instance/entry.ts";
import { breachOf, type LiveFork, memoryBytesOf } from "./live-fork.ts";
import { ServedRequest } from "./serve-request.ts";
import { type Turn, Turns } from "./turns.ts";
import { ServiceInstance } from "./service-instance.ts";
import { GuestContext, type GuestSettings } from "./wasi/guest-context.ts";
import { wasiImports } from "./wasi/imports.ts";
import { wasiAsyncFunction, wasiFunction } from "./wasi/lowered/wasi-functions.ts";
import { mayWait } from "./wasi/waiting-imports.ts";

// So many live instances at once are made for requests; further ones take turns in these where they wait. A turn costs less than an
// instance, and more than none.
const instancesBeforeTurns = 8;

/** Runs components by their link plan. */
export const linkedEngine: Engine<LinkedArtifact> = { load: (artifact) => new ForkedComponent(artifact) };

class ForkedComponent implements LoadedComponent {
  readonly isConcurrent: boolean;
  readonly #component: LinkedComponent;
  readonly #artifact: LinkedArtifact;
  readonly #handler: Callee;
  readonly #isResettable: boolean;
  readonly #forks = new KeptForks<LiveFork>(({ image }) => image?.dispose());
  /** Live instances that requests have, and more may have. */
  readonly #inUse = new Set<Turns>();
  readonly #takesTurns: boolean;
  /** What instances have in common is in memory once. */
  readonly #sources = new ImageSources();
  /** Of the first that was captured: all others have come the same way. */
  #model: InstanceImage | undefined;
  /** Of one instance. */
  readonly #memoryCount: number;
  #made = 0;
  #knowsItsPod = false;

  constructor(artifact: LinkedArtifact) {
    const { plan, states } = artifact.links;
    this.#artifact = artifact;
    const starts = states.map(({ start }) => start);
    this.#component = new LinkedComponent({
      plan,
      modules: artifact.modules,
      starts,
      mayWait,
      coreFunction: wasiFunction,
      asyncFunction: wasiAsyncFunction,
    });
    const { callee, family } = entryOf(artifact.links.plan, "serve");
    this.#handler = callee;
    this.isConcurrent = family === "0.3";
    this.#isResettable = states.every((state) => state.resettable);
    this.#takesTurns = !this.isConcurrent && this.#component.async === undefined;
    this.#memoryCount = plan.steps.reduce((sum, { module }) => sum + (states[module]?.memories.length ?? 0), 0);
  }

  async instantiate(settings: GuestSettings): Promise<Instance> {
    return this.takeReady(() => settings) ?? this.#use(await this.#make(new GuestContext(settings)));
  }

  takeReady(settings: () => GuestSettings): Instance | undefined {
    const fork = this.#forks.take();
    if (fork === undefined) return this.#takeTurn(settings);
    fork.caller.context = new GuestContext(settings());
    fork.live.reset();
    return this.#use(fork);
  }

  /** Of a crowd: in an instance whose request waits. */
  #takeTurn(settings: () => GuestSettings): Instance | undefined {
    if (this.#inUse.size < instancesBeforeTurns) return undefined;
    for (const turns of this.#inUse) {
      const turn = turns.another(() => new GuestContext(settings()));
      if (turn === undefined) continue;
      // The next one takes its turn with others.
      this.#inUse.delete(turns);
      this.#inUse.add(turns);
      return this.#inTurn(turns, turn);
    }
    return undefined;
  }

  #inTurn(turns: Turns, turn: Turn): Instance {
    return new ForkInstance(turns.fork, turn, this.#handler, (isClean) => {
      const left = turns.leave(turn, isClean);
      if (!left.isLast) return;
      this.#inUse.delete(turns);
      this.#giveBack(turns.fork, left.isClean);
    });
  }

  get knowsItsPod(): boolean {
    return this.#knowsItsPod;
  }

  rest(): number | undefined {
    const bytes = this.#forks.rest()?.image?.byteLength;
    if (bytes === undefined) this.release();
    return bytes;
  }

  release(): void {
    this.#forks.drop();
    this.#sources.dispose();
    this.#model = undefined;
    this.#made = 0;
    this.#knowsItsPod = false;
  }

  /** One that is new keeps what its start has left: handles, too. */
  #use(fork: LiveFork): Instance {
    if (this.isConcurrent) return new ServiceInstance(fork, this.#handler, (isClean) => this.#giveBack(fork, isClean));
    const turns = new Turns(fork);
    if (this.#takesTurns && fork.image !== undefined) this.#inUse.add(turns);
    return this.#inTurn(turns, turns.first());
  }

  /** @throws GuestFault when the guest's own start fails */
  async #make(context: GuestContext): Promise<LiveFork> {
    const caller = { context };
    const host = new HostBinding(this.#component.plan.hostFunctions, wasiImports(caller));
    takeMemories(this.#memoryCount);
    let live: LiveInstance | undefined;
    try {
      live = new LiveInstance(this.#component, host, context.settings.bounds.handlesMax);
      keepMemories(live, this.#memoryCount);
      // Most need not wait, and a request waits for them.
      const begun = live.begin();
      if (begun !== undefined) await begun;
      this.#made++;
      return {
        live,
        caller,
        memories: this.#memoriesOf(live),
        tables: this.#tablesOf(live),
        image: this.#capture(live),
      };
    } catch (error) {
      if (live === undefined) giveMemories(this.#memoryCount);
      context.end();
      throw guestFaultOf(error, "the guest failed while it was initialised");
    }
  }

  /**
   * The first instance of a thread is not kept: taking its state would hold up the request that it was made for. Nor is one
   * that has drawn chance, read a clock, a file or its input, or holds a handle: each request would see the same.
   */
  #capture(live: LiveInstance): InstanceImage | undefined {
    if (!this.#isResettable || this.#made === 1) return undefined;
    if (live.states.some(({ handles }) => handles.size > 0)) return undefined;
    const used = live.host.used().map(familyOf);
    if (!used.every((family) => repeatable.has(family))) return undefined;
    if (used.some((family) => ofPod.has(family))) this.#knowsItsPod = true;
    const state = this.#stateOf(live);
    const image = this.#model?.another(state) ?? captureInstances(state, (memory) => this.#sources.capture(memory));
    this.#model ??= image;
    return image;
  }

  #giveBack(fork: LiveFork, isClean: boolean): void {
    const { image } = fork;
    if (image === undefined) return;
    // What one request has left behind is gone before the next is here.
    const isOver = isClean && fork.live.isQuiet;
    if (isOver && this.#forks.hasRoomFor(image.byteLength) && image.restore()) {
      this.#forks.keep(fork, fork.caller.context.settings.clock);
    } else image.dispose();
  }

  #memoriesOf(live: LiveInstance): readonly WebAssembly.Memory[] {
    return this.#stateOf(live).flatMap(({ exports, state }) =>
      state.memories.map((name) => exports[name] as WebAssembly.Memory),
    );
  }

  #tablesOf(live: LiveInstance): readonly (readonly WebAssembly.Table[])[] {
    return this.#stateOf(live).map(({ exports, state }) =>
      state.tables.map((name) => exports[name] as WebAssembly.Table),
    );
  }

  #stateOf(live: LiveInstance): readonly CapturedInstance[] {
    const { steps } = this.#component.plan;
    return live.coreInstances.flatMap(({ exports }, index) => {
      const state = this.#artifact.links.states[steps[index]?.module ?? -1];
      return state === undefined ? [] : [{ exports, state }];
    });
  }
}

/** Interfaces that answer the same whenever they are asked, or only take: all others have what a fork must not keep. */
const repeatable: ReadonlySet<string> = new Set([
  "wasi:cli/environment",
  "wasi:cli/environment@0.3",
  "wasi:cli/stderr",
  "wasi:cli/stderr@0.3",
  "wasi:cli/stdout",
  "wasi:cli/stdout@0.3",
  "wasi:cli/terminal-input",
  "wasi:cli/terminal-output",
  "wasi:cli/terminal-stderr",
  "wasi:cli/terminal-stdin",
  "wasi:cli/terminal-stdout",
  "wasi:filesystem/preopens",
  "wasi:io/error",
  "wasi:io/streams",
]);

/** Of those, what says who the pod is. */
const ofPod: ReadonlySet<string> = new Set([
  "wasi:cli/environment",
  "wasi:cli/environment@0.3",
  "wasi:filesystem/preopens",
]);

class ForkInstance implements Instance {
  readonly #fork: LiveFork;
  readonly #turn: Turn;
  readonly #context: GuestContext;
  readonly #handler: Callee;
  /** The request is over; `isClean` when the guest has returned and nothing of it is under way. */
  readonly #ended: (isClean: boolean) => void;
  #state: "fresh" | "running" | "returned" | "failed" | "disposed" = "fresh";

  constructor(fork: LiveFork, turn: Turn, handler: Callee, ended: (isClean: boolean) => void) {
    this.#fork = fork;
    this.#turn = turn;
    this.#context = turn.context;
    this.#handler = handler;
    this.#ended = ended;
  }

  async handle(request: GuestRequest, response: GuestResponse): Promise<void> {
    const context = this.#context;
    const { live } = this.#fork;
    this.#state = "running";
    const turn = this.#turn;
    turn.running = (isRunning) => {
      context.isWoken = false;
      request.running?.(isRunning);
    };
    request.running?.(true);
    try {
      turn.begin();
      live.running = turn.running;
      const served = new ServedRequest(context, request, response);
      await live.call(this.#handler, [served.incoming, served.outparam]);
      served.expectAnswer();
      if (this.#state === "running") this.#state = "returned";
    } catch (error) {
      if (this.#state === "running") this.#state = "failed";
      throw guestFaultOf(error, "the guest failed");
    } finally {
      request.running?.(false);
    }
  }

  memoryBytes(): number {
    return this.#turn.asideBytes ?? memoryBytesOf(this.#fork);
  }

  breach(): GuestFault | undefined {
    return breachOf(this.#fork, this.#context);
  }

  isWoken(): boolean {
    return this.#context.isWoken;
  }

  dispose(): void {
    if (this.#state === "disposed") return;
    const isClean = this.#state === "fresh" || this.#state === "returned";
    this.#state = "disposed";
    this.#context.end();
    this.#ended(isClean);
  }
}
