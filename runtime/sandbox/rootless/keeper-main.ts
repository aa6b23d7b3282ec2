// The process that keeps the namespaces in which an ordinary user's node is root, and is the gate to the network there. It
// outlives agents, as pods do. Its arguments are the path of the gate's socket, and whether its cgroup is its own.
import { once } from "node:events";
import { rmSync, writeSync } from "node:fs";
import { describeError } from "@shallop/sdk/internal";
import { ownsCgroup } from "../kernel/keeper.ts";
import { furnishNamespaces } from "../kernel/own-namespaces.ts";
import { createGate } from "./gate.ts";

const standardOutput = 1;
const standardError = 2;

try {
  const socket = process.argv[2] ?? "";
  await furnishNamespaces(process.argv[3] === ownsCgroup);
  const gate = createGate();
  rmSync(socket, { force: true });
  process.umask(0o077);
  gate.listen(socket);
  await once(gate, "listening");
  writeSync(standardOutput, "ready\n");
} catch (error) {
  writeSync(standardError, `${describeError(error).replaceAll("\n", " ")}\n`);
  process.exit(1);
}
