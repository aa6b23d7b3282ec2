import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Identity of this machine and its network namespace, the value of the Node annotation `shallop.dev/machine`. Two
 * processes with the same one reach each other's unix sockets and bridge addresses. The boot id differs between
 * machines that were cloned from one disk, where `/etc/machine-id` would not. Where there is no /proc (macOS) there are
 * no network namespaces either, and the host name tells machines apart.
 */
export function machineIdentity(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const network = /\d+/.exec(readlinkSync("/proc/self/ns/net"))?.[0] ?? "0";
    return `${boot}-${network}`;
  } catch {
    return hostname();
  }
}
