// A host process: serves the Wasm pods of one namespace. Wiring only. `--socket PATH` is where it listens for an agent,
// `--compile-cache DIR` where Node keeps our own compiled programs; `--maps-max N` how many mappings the machine lets it
// have; `--close-calls` closes the system calls that it needs no more, but those that change files where it `--writes-files`.
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { assert, systemClock } from "@shallop/sdk/internal";
import { closeSystemCalls, endAtOnce } from "../sandbox/kernel/close-system-calls.ts";
import { mapsMaxUsual } from "./process-budget.ts";
import { HostServer } from "./host-server.ts";

const { values } = parseArgs({
  options: {
    socket: { type: "string" },
    "compile-cache": { type: "string", default: "" },
    "maps-max": { type: "string", default: String(mapsMaxUsual) },
    "close-calls": { type: "boolean", default: false },
    "writes-files": { type: "boolean", default: false },
  },
});
// Nobody has said anything to this process yet.
if (values["close-calls"]) closeSystemCalls(values["writes-files"] ? "writing-host" : "host");
const socketPath = values.socket;
assert(socketPath !== undefined, "host-main.ts needs --socket PATH");

const server = new HostServer({
  socketPath,
  compileCache: values["compile-cache"],
  clock: systemClock,
  mapsMax: Number(values["maps-max"]),
  end: (how) => {
    rmSync(socketPath, { force: true });
    // A thread that cannot be stopped would keep process.exit waiting for it.
    if (how === "kill") endAtOnce();
    process.exit(0);
  },
});
await server.listen();
