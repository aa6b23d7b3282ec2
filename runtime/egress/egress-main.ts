// The egress proxy: the way out of all pods of a node. Wiring only. `--socket PATH` is where it listens for the agent;
// `--close-calls` closes the system calls that it does not need.
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { parseArgs } from "node:util";
import { assert, describeError, systemClock, type Timer } from "@shallop/sdk/internal";
import { JsonLines } from "../host/json-lines.ts";
import { orphanTimeoutMs } from "../host/control-protocol.ts";
import { closeSystemCalls } from "../sandbox/kernel/close-system-calls.ts";
import { commandCharsMax, type EgressCommand, type EgressReply } from "./egress-protocol.ts";
import { EgressProxy } from "./egress-proxy.ts";

const { values } = parseArgs({
  options: { socket: { type: "string" }, "close-calls": { type: "boolean", default: false } },
});
const socketPath = values.socket;
assert(socketPath !== undefined, "egress-main.ts needs --socket PATH");
// A host process is another user than this one, and to write to a socket is to connect to it. Who sees it is decided
// by which directories he sees.
process.umask(0);
if (values["close-calls"]) closeSystemCalls("egress");

const proxy = new EgressProxy({ clock: systemClock });
let orphaned: Timer | undefined;
let agent: JsonLines | undefined;

function end(): void {
  rmSync(socketPath ?? "", { force: true });
  process.exit(0);
}

async function execute(command: EgressCommand): Promise<void> {
  switch (command.type) {
    case "open":
      return proxy.open(command.socket, command.grant);
    case "close":
      return proxy.close(command.socket);
    case "services":
      return proxy.lead(command.directory);
    case "exit":
      return end();
  }
}

function waitForAgent(): void {
  orphaned?.cancel();
  orphaned = systemClock.after(orphanTimeoutMs, end);
}

const server = createServer((socket) => {
  agent?.close();
  orphaned?.cancel();
  const lines = new JsonLines(socket, commandCharsMax, {
    message: (value) => {
      const command = value as EgressCommand;
      execute(command).then(
        () => lines.send({ id: command.id } satisfies EgressReply),
        (error: unknown) => lines.send({ id: command.id, problem: describeError(error) } satisfies EgressReply),
      );
    },
    closed: () => {
      if (agent === lines) waitForAgent();
    },
  });
  agent = lines;
});
server.listen(socketPath);
waitForAgent();
