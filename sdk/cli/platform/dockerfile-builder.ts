import { availableParallelism } from "node:os";
import { join } from "node:path";
import { unreachable } from "../../internal/assert.ts";
import { lastState, runBuilder } from "../../build/index.ts";
import type { BuilderRequest, BuildEvent, BuildOrder, BuiltVariant } from "../../wire/index.ts";
import type { Context } from "../context.ts";
import { printable } from "../output/printable.ts";
import type { Progress } from "../output/progress.ts";
import { type BuildFlags, knownEscapes, runLimits } from "./build-flags.ts";
import type { LocalImages } from "./image-store.ts";

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
      listsPackages: true,
      knownEscapes: knownEscapes(flags),
      run: runLimits(flags, availableParallelism()),
      ...(images.builtin.token === undefined ? {} : { registryToken: images.builtin.token }),
      ...(dockerConfigDirectory === undefined ? {} : { dockerConfigDirectory }),
    },
  };
  const shown = eventLines(context, orders);
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort(new Error("interrupted"));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, stop);
  try {
    return await runBuilder(request, {
      environment: { ...context.environment, NODE_COMPILE_CACHE: join(context.cacheDirectory, "compile") },
      signal: interrupted.signal,
      onEvent: (event) => {
        for (const line of shown(event)) progress.line(line);
        if (event.kind === "step" && process.stderr.isTTY) progress.step(printable(event.text));
      },
    });
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

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
