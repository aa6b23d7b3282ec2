import { breachText } from "@shallop/sdk/internal";
import type { InstanceImage } from "./fork/instance-image.ts";
import { GuestFault } from "./guest-fault.ts";
import type { LiveInstance } from "./instance/live-instance.ts";
import type { GuestContext } from "./wasi/guest-context.ts";

/** A live instance, and the state that it was in before its first request. */
export interface LiveFork {
  readonly live: LiveInstance;
  /** Whose functions its host's are at the moment. */
  readonly caller: { context: GuestContext };
  readonly memories: readonly WebAssembly.Memory[];
  /** Of each core instance. */
  readonly tables: readonly (readonly WebAssembly.Table[])[];
  /** Undefined when the state cannot be put back, or is not worth it yet. */
  readonly image: InstanceImage | undefined;
}

export function memoryBytesOf({ memories }: LiveFork): number {
  let bytes = 0;
  for (const memory of memories) bytes += memory.buffer.byteLength;
  return bytes;
}

// A guest that gets no more fails when it asks for a piece that is larger than what is left.
const nearLimit = 0.75;

/** A limit that the guest has met without being ended for it. */
export function breachOf({ tables }: LiveFork, context: GuestContext): GuestFault | undefined {
  const { tableEntriesMax } = context.settings.bounds;
  const isFull = tables.some(
    (ofModule) => ofModule.reduce((sum, { length }) => sum + length, 0) >= tableEntriesMax * nearLimit,
  );
  if (!isFull) return context.breach;
  return new GuestFault("GUEST_TABLE", breachText("tableEntriesMax", tableEntriesMax));
}
