import { fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BuilderMessage, BuilderRequest } from "@shallop/sdk/wire";

// Starts a builder in the directory of a test's workshop, kills it in the middle of a RUN, and says so.

const directory = process.argv[2] ?? "";
const dockerfile = join(directory, "Dockerfile.killed");
writeFileSync(
  dockerfile,
  `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox echo begun; /bin/busybox sleep 600"]
`,
);
const request: BuilderRequest = {
  orders: [
    { id: "killed", context: join(directory, "context"), dockerfile, platform: platform(), buildArgs: {}, labels: {} },
  ],
  settings: {
    storeDirectory: join(directory, "store"),
    builderDirectory: join(directory, "builder"),
    ...{ defaultRegistry: "127.0.0.1:1", createdMs: 0, useCache: false, pull: false, knownEscapes: "refuse" },
    run: { network: "none", memoryBytes: 64 << 20, cpu: 1, pidsMax: 64, timeoutMs: 600_000 },
  },
};
const builder = fork(join(import.meta.dirname, "main.ts"), { execArgv: ["--no-warnings"] });
builder.on("message", (message: BuilderMessage) => {
  if (message.kind !== "event" || message.event.kind !== "output") return;
  builder.kill("SIGKILL");
});
builder.once("exit", () => console.log("killed"));
builder.send(request);

function platform(): string {
  return `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
}
