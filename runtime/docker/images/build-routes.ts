import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { isJsonObject } from "@shallop/sdk/api";
import { lastState, runBuilder } from "@shallop/sdk/build";
import { formatPlatform, formatReference } from "@shallop/sdk/image";
import type { BuildEvent, BuilderSettings, BuildOrder } from "@shallop/sdk/wire";
import type { EventLog } from "../event-log.ts";
import { type Call, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { type JsonStream, streaming } from "../http/json-stream.ts";
import type { Routes } from "../http/router.ts";
import type { ImageLibrary } from "./image-library.ts";
import { directoryBytes } from "../volumes/directory-bytes.ts";
import { ownPlatform, platformAsked } from "./platforms.ts";
import { requestLogins } from "./registry-login.ts";
import { shortId } from "./transfer.ts";

export interface BuildParts {
  readonly library: ImageLibrary;
  readonly events: EventLog;
  /** What builds keep: unpacked layers, and what they have built. */
  readonly builderDirectory: string;
  /** Of the builder: where programs are, and what is temporary. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** As of the command line's builds through a pipe. */
const contextBytesMax = 8 * 1024 ** 3;
/** Of each RUN, where the client bounds nothing: as `shallop build`. */
const runDefaults = { memoryBytes: 2 * 1024 ** 3, pidsMax: 4096, timeoutMs: 3_600_000 } as const;

/** `docker build` by the classic builder, and what of it can be pruned. */
export function buildRoutes(parts: BuildParts): Routes {
  return {
    "POST /build": (call) => build(parts, call),
    "POST /build/prune": (call) => prune(parts, call),
  };
}

/** By the builder: it waits for builds that go on, and files in layers may have owners whom only it may be. */
async function prune({ library, builderDirectory, environment }: BuildParts, call: Call): Promise<Reply> {
  const before = await directoryBytes(builderDirectory);
  if (before === 0) return ok({ CachesDeleted: null, SpaceReclaimed: 0 });
  const settings = settingsOf(library, builderDirectory, call, builderDirectory);
  await runBuilder(
    { orders: [], settings, forgets: true },
    { environment, signal: call.signal, onEvent: () => undefined },
  );
  const SpaceReclaimed = Math.max(0, before - (await directoryBytes(builderDirectory)));
  return ok({ CachesDeleted: [buildCacheId], SpaceReclaimed });
}

/** All that builds keep goes together, and is one thing. */
export const buildCacheId = "builder";

async function build({ library, events, builderDirectory, environment }: BuildParts, call: Call): Promise<void> {
  if (call.text("remote") !== undefined) {
    throw new DockerFault("UNSUPPORTED", "a build from a URL: clone it, and build the directory");
  }
  await mkdir(builderDirectory, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(builderDirectory, "context-"));
  try {
    const context = join(scratch, "context.tar");
    await pipeline(bounded(call.request), createWriteStream(context, { mode: 0o600 }));
    const dockerConfigDirectory = await writeLogins(scratch, call);
    const tags = call.query
      .getAll("t")
      .filter((text) => text !== "")
      .map((text) => library.reference(text));
    const isQuiet = call.flag("q");
    await streaming(call, async (stream) => {
      const [variant] = await runBuilder(
        {
          orders: [orderOf(context, call)],
          settings: settingsOf(library, builderDirectory, call, dockerConfigDirectory),
        },
        {
          environment,
          signal: call.signal,
          onEvent: (event) => {
            if (!isQuiet) tell(stream, event);
          },
        },
      );
      if (variant === undefined) throw new DockerFault("FAILED", "the builder made no image");
      const { mediaType, digest, size } = variant.manifest;
      for (const tag of tags) await library.tags.set(tag, { mediaType, digest, size }, library.clock.wallMs());
      if (isQuiet) {
        stream.write({ stream: `${digest}\n` });
        return;
      }
      stream.write({ aux: { ID: digest } });
      stream.write({ stream: `Successfully built ${shortId(digest)}\n` });
      for (const tag of tags) {
        const name = library.familiar(formatReference(tag));
        stream.write({ stream: `Successfully tagged ${name}\n` });
        events.emit("image", "tag", digest, { name });
      }
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function tell(stream: JsonStream, event: BuildEvent): void {
  switch (event.kind) {
    case "step":
      stream.write({ stream: `Step ${String(event.number)}/${String(event.count)} : ${event.text}` });
      stream.write({ stream: "\n" });
      return;
    case "cached":
      stream.write({ stream: " ---> Using cache\n" });
      return;
    case "output":
      stream.write({ stream: `${lastState(event.text)}\n` });
      return;
    case "note":
      stream.write({ stream: `[Warning] ${event.text}\n` });
      return;
    default:
      event satisfies never;
  }
}

function orderOf(context: string, call: Call): BuildOrder {
  const target = call.text("target");
  return {
    ...{ id: "build", context },
    dockerfile: call.text("dockerfile") ?? "Dockerfile",
    platform: formatPlatform(platformAsked(call.text("platform")) ?? ownPlatform),
    ...(target === undefined ? {} : { target }),
    buildArgs: textMap(call, "buildargs"),
    labels: textMap(call, "labels"),
  };
}

function settingsOf(
  library: ImageLibrary,
  builderDirectory: string,
  call: Call,
  dockerConfigDirectory: string,
): BuilderSettings {
  const quota = call.count("cpuquota") ?? 0;
  const period = call.count("cpuperiod") ?? 0;
  const memoryBytes = call.count("memory") ?? 0;
  return {
    storeDirectory: library.directory,
    builderDirectory,
    defaultRegistry: library.builtinRegistry,
    dockerConfigDirectory,
    createdMs: 0,
    useCache: !call.flag("nocache"),
    pull: call.flag("pull"),
    knownEscapes: "refuse",
    run: {
      ...runDefaults,
      network: call.text("networkmode") === "host" ? "host" : "none",
      cpu: quota > 0 ? quota / (period > 0 ? period : 100_000) : availableParallelism(),
      ...(memoryBytes > 0 ? { memoryBytes } : {}),
    },
    ...(library.registryToken === undefined ? {} : { registryToken: library.registryToken }),
  };
}

/** A JSON object of texts; null is a variable of the client's that it has not. @throws DockerFault BAD_REQUEST */
function textMap(call: Call, name: string): Readonly<Record<string, string>> {
  const text = call.text(name);
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isJsonObject(value)) throw new DockerFault("BAD_REQUEST", `${name} is no JSON object`);
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** The logins of the request, where the builder looks for some; they go with the build. @returns the directory */
async function writeLogins(scratch: string, call: Call): Promise<string> {
  const logins = requestLogins(call.request.headers["x-registry-config"]);
  const auths = [...logins].map(([host, login]) => [
    host,
    login.kind === "basic"
      ? { auth: Buffer.from(`${login.username}:${login.password}`).toString("base64") }
      : { identitytoken: login.token },
  ]);
  await writeFile(join(scratch, "config.json"), JSON.stringify({ auths: Object.fromEntries(auths) }), { mode: 0o600 });
  return scratch;
}

async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > contextBytesMax) {
      throw new DockerFault(
        "BAD_REQUEST",
        `the build context has more than ${String(contextBytesMax)} bytes; leave some out with .dockerignore`,
      );
    }
    yield chunk;
  }
}
