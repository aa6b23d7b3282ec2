import type { Clock, Log, Random } from "@shallop/sdk/internal";
import type { PrepareLimits } from "../component/prepare.ts";
import type { PreparedStore } from "../component/prepared-store.ts";
import type { PodObserver } from "../pod/pod-runtime.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { VolumeKernel } from "./component-volumes.ts";
import type { HostJail } from "./host-jail.ts";

export interface WasmRuntimeSettings {
  /** Sockets live here; a short path, the owner's alone. */
  readonly runDirectory: string;
  /** What each host process sees of prepared components; on the file system of their store, so that nothing is copied. */
  readonly cacheDirectory: string;
  /** Prepared components. */
  readonly prepared: PreparedStore;
  /** Node's compile cache of our own programs; beside the components when absent. */
  readonly compileCache?: string;
  /** Mappings that a host process may have; what the machine says, unless given. */
  readonly mapsMax?: number;
  readonly observer: PodObserver;
  readonly hostJail: HostJail;
  /** How host processes are closed in. */
  readonly cells: Cells;
  /** What volumes are made with. */
  readonly kernel: VolumeKernel;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Networks that pods may reach though they are special. */
  readonly egressAllowed: readonly string[];
  readonly prepareLimits?: PrepareLimits;
}
