// The builder: a process that builds images from Dockerfiles for the command line, and ends. It gets its orders and says
// what happens over the channel of a child process. That of an ordinary user becomes root of namespaces of its own first.
import { fileURLToPath } from "node:url";
import { describeError, errorCode, stopSignal, systemClock, systemRandom } from "@shallop/sdk/internal";
import type { BuilderMessage, BuilderRequest } from "@shallop/sdk/wire";
import { becomeOwnUsers, type OwnUsers, ownUsersInside } from "../sandbox/rootless/own-users.ts";

/** Said by this program to itself. */
const inside = "--inside";

const tell = (message: BuilderMessage): void => {
  // Who has broken off hears nothing more.
  if (process.connected) process.send?.(message);
};

const rootless = await ownPlace();
const { build } = await import("./builder.ts");
const signal = stopSignal();

process.once("message", (request: BuilderRequest) => {
  void build(request, {
    ...{ clock: systemClock, random: systemRandom, signal, rootless },
    emit: (event) => tell({ kind: "event", event }),
  })
    .then(
      (variants) => tell({ kind: "built", variants }),
      (error: unknown) => tell({ kind: "failed", code: errorCode(error), message: describeError(error) }),
    )
    .finally(() => {
      if (process.connected) process.disconnect?.();
    });
});
tell({ kind: "ready" });

async function ownPlace(): Promise<OwnUsers | string | undefined> {
  if (process.argv[2] === inside) return ownUsersInside();
  if (process.platform !== "linux" || process.getuid?.() === 0) return undefined;
  return becomeOwnUsers({ main: fileURLToPath(import.meta.url), args: [inside], environment: process.env });
}
