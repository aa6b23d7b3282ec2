import { readFileSync } from "node:fs";

/** Shows from the inside what a native pod may do: who it is, and which capabilities it has. */
export default {
  fetch(): Response {
    const status = readFileSync("/proc/self/status", "utf8");
    const capabilities = /^CapEff:\s+(\w+)$/m.exec(status)?.[1] ?? "unknown";
    return Response.json({ hello: "from a container", uid: process.getuid?.(), pid: process.pid, capabilities });
  },
};
