import type { GuestOutput, GuestSettings } from "../component/wasi/guest-context.ts";
import { guestBoundsOf, noGrants, withLog } from "../component/wasi/guest-context.ts";
import type { ThreadStart } from "./thread-protocol.ts";

/** Settings for the instances of a pod: all the same, but for where their output goes. */
export function guestSettingsOf(
  { env, limits, directories }: Pick<ThreadStart, "env" | "limits" | "directories">,
  given: Pick<GuestSettings, "clock" | "random" | "egress" | "isShared">,
  output: () => GuestOutput,
): () => GuestSettings {
  const environment = env.map(({ name, value }) => [name, value] as const);
  const always = { ...noGrants, ...given, environment, directories, bounds: guestBoundsOf(limits) };
  return () => withLog(always, output());
}
