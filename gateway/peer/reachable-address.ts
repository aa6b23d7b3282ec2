import { networkInterfaces } from "node:os";

/** Where a process that listens at `host` can be reached: there, or for all addresses at the first of this machine's that is not loopback. */
export function reachableAddress(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host.includes(":") ? `[${host}]` : host;
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .find(({ internal, family }) => !internal && family === "IPv4");
  return outside?.address ?? "127.0.0.1";
}
