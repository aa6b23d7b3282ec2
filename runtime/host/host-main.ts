// A host process: serves the Wasm pods of one namespace. Wiring only. `--socket PATH` is where it listens for an agent,
// `--compile-cache DIR` where Node keeps our own compiled programs.
import { flushCompileCache } from "node:module";
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { assert, systemClock } from "@shallop/sdk/internal";
import { HostServer } from "./host-server.ts";

const { values } = parseArgs({
  options: { socket: { type: "string" }, "compile-cache": { type: "string", default: "" } },
});
const socketPath = values.socket;
assert(socketPath !== undefined, "host-main.ts needs --socket PATH");

const server = new HostServer({
  socketPath,
  compileCache: values["compile-cache"],
  clock: systemClock,
  end: (how) => {
    rmSync(socketPath, { force: true });
    // SIGKILL: a thread that cannot be stopped would keep process.exit waiting for it.
    if (how === "kill") process.kill(process.pid, "SIGKILL");
    process.exit(0);
  },
});
await server.listen();
// Otherwise it is written at the end of the process only, and the next one would start as slowly.
systemClock.after(500, flushCompileCache);
