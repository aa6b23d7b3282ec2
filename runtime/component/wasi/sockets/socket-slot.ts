import type { GuestContext } from "../guest-context.ts";

/** One of the sockets that an instance may have. */
export interface SocketSlot {
  /** The socket is closed. Safe to repeat. */
  release(): void;
}

/** Undefined when the instance has as many as it may. */
export function takeSlot(context: GuestContext): SocketSlot | undefined {
  if (!context.takeConnection()) return undefined;
  let held = true;
  return {
    release: () => {
      if (held) context.connections.give();
      held = false;
    },
  };
}
