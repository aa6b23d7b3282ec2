import { type Clock, systemRandom } from "@shallop/sdk/internal";
import { componentEngine } from "../component/component-engine.ts";
import { addressJudge } from "../component/egress/address-judge.ts";
import { Egress } from "../component/egress/egress.ts";
import { artifactOf, inDirectory, readPreparedFiles } from "../component/prepared-files.ts";
import { guestSettingsOf } from "./guest-settings.ts";
import type { ParkedComponents } from "./parked-components.ts";
import { practise } from "./practice.ts";
import { startAhead } from "./start-ahead.ts";
import type { ThreadStart } from "./thread-protocol.ts";

export interface ParkingAhead {
  /** Of a pod that has come up with it. */
  readonly start: ThreadStart;
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
  /** Whether it practises then, see practice.ts. */
  readonly practises: boolean;
  readonly parked: ParkedComponents;
  readonly slots: Float64Array;
  readonly clock: Clock;
}

/**
 * Parks the component of a pod in a thread that has had none yet: the next pod of the same program is answered at once there.
 * @throws when it cannot be read, or does not come up
 */
export async function parkAhead({ start, modules, practises, parked, slots, clock }: ParkingAhead): Promise<void> {
  const files = readPreparedFiles(inDirectory(start.preparedDir));
  // Generated bindings are JavaScript, which another pod would share.
  if (files.form !== "linked") return;
  const component = componentEngine.load(artifactOf(files, modules));
  const output = { write: () => undefined, end: () => undefined };
  const egress = new Egress(addressJudge({ allowed: [] }));
  const settings = guestSettingsOf(start, { clock, random: systemRandom, egress, isShared: false }, () => output);
  // The second instance of a component is captured.
  for (const _ of ["first", "captured"]) await startAhead(component, settings(), slots);
  if (practises) await practise({ component, start, slots, clock });
  parked.park(start, component);
}
