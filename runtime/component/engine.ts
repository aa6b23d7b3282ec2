import type { ByteSink } from "./wasi/byte-sink.ts";
import type { ByteQueue } from "./wasi/byte-queue.ts";
import type { GuestSettings } from "./wasi/guest-context.ts";

/**
 * What runs components. `load` takes what `prepare` left on disk; an engine that links components by itself fills the
 * same three interfaces, and nothing around them changes.
 */
export interface Engine {
  /** Once per thread and component: makes all that instances share. */
  load(artifact: EngineArtifact): LoadedComponent;
}

/** A prepared component in this process. Its modules are compiled once and shared by all threads. */
export interface EngineArtifact {
  /** Glue of the engine: the text of a classic script. */
  readonly glue: string;
  /** V8's code cache of `glue`, made on this machine by this version of V8; undefined when there is none. */
  readonly glueCache: Uint8Array | undefined;
  /** Compiled core modules by the name that the glue calls them. */
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
}

export interface LoadedComponent {
  /** A fresh instance that has served nothing. @throws GuestFault when the guest's own initialisation fails */
  instantiate(settings: GuestSettings): Promise<Instance>;
  /** V8's code cache of the glue with the functions that have run so far. */
  glueCache(): Uint8Array;
}

export interface Instance {
  /**
   * Serves one request; call it once. Resolves when the guest has returned: what it has written is with `response` by
   * then. After `dispose` it may never settle. @throws GuestFault
   */
  handle(request: GuestRequest, response: GuestResponse): Promise<void>;
  /** Bytes of linear memory in use. */
  memoryBytes(): number;
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
}

/** Where the guest's answer goes. */
export interface GuestResponse {
  /** Begins the answer. Called at most once. */
  respond(status: number, headers: readonly string[]): void;
  /** The body; `respond` comes first. */
  readonly body: ByteSink;
  /** The body is complete. */
  finish(): void;
  /** The answer cannot be given, or its body cannot be completed. */
  fail(message: string): void;
}
