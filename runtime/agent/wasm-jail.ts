import type { HostJail } from "../host/host-jail.ts";
import type { ProcessJail } from "../sandbox/host-jail.ts";

/** The sandbox's cgroups in the words of the host processes. */
export const wasmJail = (jail: ProcessJail): HostJail => ({
  place: (pid, limits) => jail.place(pid, limits),
  wasOutOfMemory: async (pid) => (await jail.counters(pid)).oomKills > 0,
  release: (pid) => jail.release(pid),
});
