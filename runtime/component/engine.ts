import type { LinkPlan } from "./link/link-plan.ts";
import type { GuestFault } from "./guest-fault.ts";
import type { ModuleState } from "./core-module/expose-state.ts";
import type { ByteSink } from "./wasi/byte-sink.ts";
import type { ByteQueue } from "./wasi/byte-queue.ts";
import type { GuestSettings } from "./wasi/guest-context.ts";

/** What runs components. `load` takes what `prepare` left on disk. */
export interface Engine<Artifact> {
  /** Once per thread and component: makes all that instances share. @throws GuestFault */
  load(artifact: Artifact): LoadedComponent;
}

/** A component that is prepared to be linked by us. */
export interface LinkedArtifact {
  readonly form: "linked";
  readonly links: PreparedLinks;
  /** Compiled core modules, in the plan's order; compiled once a process and shared by all threads. */
  readonly modules: readonly WebAssembly.Module[];
}

/** `links.json`: what the linker needs beside the core modules. */
export interface PreparedLinks {
  readonly plan: LinkPlan;
  /** Of each core module, in the plan's order: the names under which its state is exported. */
  readonly states: readonly ModuleState[];
}

/** A component that is prepared to be run through bindings that jco generated for it. */
export interface BindingsArtifact {
  readonly form: "bindings";
  /** The text of a classic script. */
  readonly glue: string;
  /** V8's code cache of `glue`, made on this machine by this version of V8; undefined when there is none. */
  readonly glueCache: Uint8Array | undefined;
  /** Compiled core modules by the name that the glue calls them. */
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
}

export type EngineArtifact = LinkedArtifact | BindingsArtifact;

export interface LoadedComponent {
  /** Its instances may be given several requests at once (WASI 0.3). */
  readonly isConcurrent: boolean;
  /** A fresh instance that has served nothing. @throws GuestFault when the guest's own initialisation fails */
  instantiate(settings: GuestSettings): Promise<Instance>;
  /** The same at once, where one is there that needs only to be taken. */
  takeReady?(settings: () => GuestSettings): Instance | undefined;
  /**
   * Its instances are all over, and for now nobody needs it: at most one stays that waits, for whoever is next. Absent where the component
   * has left something in its thread that another one must not meet.
   * @returns bytes of linear memory that stay with it; undefined when no instance does
   */
  rest?(): number | undefined;
  /** Frees all that its instances have held and shared; it can be instantiated again. With `rest`. */
  release?(): void;
  /** Its instances have asked at their start for what is a pod's own (environment, directories): they serve that pod's like only. */
  readonly knowsItsPod?: boolean;
  /** V8's code cache of generated glue with the functions that have run so far; undefined where there is no glue. */
  glueCache?(): Uint8Array;
}

export interface Instance {
  /**
   * Serves one request. Resolves when the guest has returned: what it has written is with `response` by then. After
   * `dispose` it may never settle. Further requests come when it has resolved, or at once where the component
   * is concurrent. @throws GuestFault, after which the instance is of no use
   */
  handle(request: GuestRequest, response: GuestResponse): Promise<void>;
  /** Nobody waits for the answer to this request any more; those beside it go on. Where the component is concurrent. */
  abandon?(request: GuestRequest): void;
  /** Bytes of linear memory in use. */
  memoryBytes(): number;
  /** A limit that the guest has met without being ended for it, and may have failed of since. */
  breach(): GuestFault | undefined;
  /** What it waited for is there, and it has not gone on: true for a moment only. */
  isWoken(): boolean;
  /** Drops the instance: nothing of it is called again, timers and connections of it are closed. */
  dispose(): void;
}

/** A request as a guest sees it. */
export interface GuestRequest {
  readonly method: string;
  readonly target: string;
  readonly scheme: string;
  readonly authority: string;
  /** Flat: name, value, name, value; names in lower case. */
  readonly headers: readonly string[];
  readonly body: ByteQueue;
  /** Flat, as headers; asked when the body has ended. */
  readonly trailers?: () => readonly string[];
  /** Told when the guest is at work for this request, and when it waits or has returned. */
  readonly running?: (isRunning: boolean) => void;
}

/** Where the guest's answer goes. */
export interface GuestResponse {
  /** Begins the answer. Called at most once. */
  respond(status: number, headers: readonly string[]): void;
  /** The body; `respond` comes first. */
  readonly body: ByteSink;
  /** The body is complete. `trailers`: flat, as headers. */
  finish(trailers: readonly string[]): void;
  /** The answer cannot be given, or its body cannot be completed. */
  fail(message: string): void;
}
