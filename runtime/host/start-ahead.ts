import type { LoadedComponent } from "../component/engine.ts";
import type { GuestSettings } from "../component/wasi/guest-context.ts";
import { sharedNowMs, slot, startNumber } from "./thread-protocol.ts";

// It came up before, within milliseconds of the processor, which others may have. One that does not now takes a thread that nobody
// needs yet, and none is parked ahead any more: as long as a pod's first instance may take ahead of a request.
const startMsMax = 10_000;

/**
 * Has one instance more come up where nobody waits for it, under the eyes of the watchdog, or takes one that is there, and gives it
 * back: the component keeps it for whoever is next, unless it is its first. @throws GuestFault when it does not come up
 */
export async function startAhead(
  component: LoadedComponent,
  settings: GuestSettings,
  slots: Float64Array,
): Promise<void> {
  slots[slot.runningDeadline] = sharedNowMs() + startMsMax;
  slots[slot.running] = startNumber;
  const made = component.instantiate(settings);
  slots[slot.running] = 0;
  (await made).dispose();
}
