import { readFile } from "node:fs/promises";
import type { Clock } from "@shallop/sdk/internal";
import type { PodFiles } from "./pod-files.ts";

// Who does not know yet that the pod is to end may connect once more: gateways hear of it a moment after its node.
const quietMs = 1_000;
// A read of two small files of the kernel.
const lookMs = 50;

/**
 * Resolves when nobody has been connected to the pod's port for a second, or after `graceMs`. Gateways close what they do not use as
 * soon as they hear that the pod ends; what is open has a request, and a program may drop those as soon as it is asked to end.
 */
export async function untilUnused(
  { files, port }: { readonly files: Pick<PodFiles, "pidFile">; readonly port: number },
  graceMs: number,
  clock: Clock,
): Promise<void> {
  const beganMs = clock.nowMs();
  let usedMs = beganMs;
  for (;;) {
    if (await isConnected(files.pidFile, port)) usedMs = clock.nowMs();
    const nowMs = clock.nowMs();
    if (nowMs - usedMs >= quietMs || nowMs - beganMs >= graceMs) return;
    await clock.sleep(lookMs);
  }
}

/** Of a pod whose program has ended nobody is left to ask, nor to be waited for. */
async function isConnected(pidFile: string, port: number): Promise<boolean> {
  const pid = (await readFile(pidFile, "utf8").catch(() => "")).trim();
  if (!/^\d+$/.test(pid)) return false;
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8")).map(orNone),
  );
  return tables.some((table) => hasConnection(table, port));
}

const orNone = (text: Promise<string>): Promise<string> => text.catch(() => "");

// `TCP_ESTABLISHED` of the kernel.
const established = "01";

/** Whether a table of the kernel's connections, as proc_net_tcp(5) has it, holds one that is open at this port of this side. */
export function hasConnection(table: string, port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").some((line) => {
    const [, address = "", , state] = line.trim().split(/\s+/);
    return state === established && address.endsWith(local);
  });
}
