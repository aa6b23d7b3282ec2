import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unreachable } from "../../internal/assert.ts";
import type { BuilderMessage, BuilderRequest, BuildEvent, BuildOrder, BuiltVariant } from "../../wire/index.ts";
import { DockerfileFault, type DockerfileFaultCode } from "../../wire/index.ts";
import type { Context } from "../context.ts";
import { printable } from "../output/printable.ts";
import type { Progress } from "../output/progress.ts";
import { type BuildFlags, knownEscapes, runLimits } from "./build-flags.ts";
import type { LocalImages } from "./image-store.ts";

/** Started by path: the SDK imports no other folder. */
const main = fileURLToPath(new URL("../../../runtime/build/main.ts", import.meta.url));

/**
 * Builds from Dockerfiles in a process of the runtime, which has what RUN needs, and shows what happens.
 * @throws DockerfileFault
 */
export async function buildDockerfiles(
  context: Context,
  images: LocalImages,
  build: { readonly orders: readonly BuildOrder[]; readonly flags: BuildFlags; readonly createdMs: number },
  progress: Progress,
): Promise<readonly BuiltVariant[]> {
  const { orders, flags, createdMs } = build;
  const { DOCKER_CONFIG: dockerConfigDirectory } = context.environment;
  const request: BuilderRequest = {
    orders,
    settings: {
      storeDirectory: images.directory,
      builderDirectory: join(context.cacheDirectory, "builder"),
      defaultRegistry: images.builtin.host,
      createdMs,
      useCache: flags.cache,
      pull: flags.pull === true,
      knownEscapes: knownEscapes(flags),
      run: runLimits(flags, availableParallelism()),
      ...(images.builtin.token === undefined ? {} : { registryToken: images.builtin.token }),
      ...(dockerConfigDirectory === undefined ? {} : { dockerConfigDirectory }),
    },
  };
  const shown = eventLines(context, orders);
  return runBuilder(context, request, (event) => {
    for (const line of shown(event)) progress.line(line);
    if (event.kind === "step" && process.stderr.isTTY) progress.step(printable(event.text));
  });
}

/** The process ends when its orders are done, or when this one has gone. */
function runBuilder(
  context: Context,
  request: BuilderRequest,
  onEvent: (event: BuildEvent) => void,
): Promise<readonly BuiltVariant[]> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...context.environment, NODE_COMPILE_CACHE: join(context.cacheDirectory, "compile") },
  });
  const stop = (): void => void child.kill("SIGTERM");
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, stop);
  return new Promise<readonly BuiltVariant[]>((resolve, reject) => {
    child.on("message", (message: BuilderMessage) => {
      if (message.kind === "event") onEvent(message.event);
      else if (message.kind === "built") resolve(message.variants);
      else reject(new DockerfileFault(message.code as DockerfileFaultCode, message.message));
    });
    child.once("error", reject);
    child.once("close", (code, signal) =>
      reject(new DockerfileFault("BUILD_UNSUPPORTED", `the builder ended too early (${signal ?? String(code)})`)),
    );
    child.send(request);
  }).finally(() => {
    for (const signal of signals) process.off(signal, stop);
  });
}

/** Of a line that was written over with carriage returns, what a terminal would show in the end. */
const lastState = (line: string): string => line.replace(/\r+$/, "").replace(/^.*\r/s, "");

/** What is printed of an event; with the name of its build where there are several. */
function eventLines({ style }: Context, orders: readonly BuildOrder[]): (event: BuildEvent) => readonly string[] {
  const several = orders.length > 1;
  return (event) => {
    const before = several ? `${style.dim(`[${event.id}]`)} ` : "";
    switch (event.kind) {
      case "step":
        return [`${before}${style.bold(`Step ${event.number}/${event.count}`)} : ${printable(event.text)}`];
      case "cached":
        return [`${before}${style.dim(several ? ` ---> step ${event.number} cached` : " ---> cached")}`];
      case "output":
        return [`${before}${printable(lastState(event.text))}`];
      case "note":
        return [`${before}${style.yellow("note:")} ${printable(event.text)}`];
      default:
        return unreachable(event);
    }
  };
}
