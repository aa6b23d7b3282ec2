import { join } from "node:path/posix";
import { Readable, type Writable } from "node:stream";
import { LayerBytes } from "../../image/layer-bytes.ts";
import { archiveBytesMax } from "../../build/archive-entries.ts";
import { hasProgram } from "../containers/container-state.ts";
import type { Containers, DockerContainer } from "../containers/containers.ts";
import { parseCreateBody } from "../containers/create-body.ts";
import { upperDirectory } from "../containers/kept-root.ts";
import { firstUidOf, localProcess } from "../containers/local-process.ts";
import { type Call, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { type PathStat, statHeader, statHeaderOf } from "./archive-stat.ts";
import { ContainerFiles, type FilesParts } from "./container-files.ts";
import { LiveRoot } from "./live-root.ts";
import { StillRoot } from "./still-root.ts";

interface Parts extends FilesParts {
  readonly containers: Containers;
  readonly volumes: Volumes;
}

/** `docker cp`, in both directions. */
export function archiveRoutes(parts: Parts): Routes {
  return {
    "HEAD /containers/:id/archive": (call) => look(parts, call),
    "GET /containers/:id/archive": (call) => copyOut(parts, call),
    "PUT /containers/:id/archive": (call) => copyIn(parts, call),
  };
}

interface Root {
  stat(path: string): Promise<PathStat>;
  read(path: string, output: (stat: PathStat) => Writable): Promise<void>;
  write(path: string, input: Readable, keepsKinds: boolean): Promise<void>;
}

async function look(parts: Parts, call: Call): Promise<Reply> {
  return within(parts, call, async (root, path) => ({
    ...ok(undefined),
    headers: { [statHeader]: statHeaderOf(await root.stat(path)) },
  }));
}

async function copyOut(parts: Parts, call: Call): Promise<void> {
  await within(parts, call, (root, path) =>
    root.read(path, (stat) => call.stream("application/x-tar", { [statHeader]: statHeaderOf(stat) })),
  );
}

async function copyIn(parts: Parts, call: Call): Promise<Reply> {
  const archive = new LayerBytes("sha256", archiveBytesMax).archive(call.request);
  return within(parts, call, async (root, path) => {
    await root.write(path, Readable.from(archive), call.flag("noOverwriteDirNonDir"));
    return ok(undefined);
  });
}

/** The file system that a path of the container is in, and the path there. @throws DockerFault */
async function within<Value>(
  parts: Parts,
  call: Call,
  act: (root: Root, path: string) => Promise<Value>,
): Promise<Value> {
  const given = call.text("path");
  if (given === undefined || given.includes("\0")) throw new DockerFault("BAD_REQUEST", "path is missing");
  const path = absolute(given);
  const id = call.param("id");
  const container = parts.containers.find(id);
  try {
    return await withinContainer(parts, call, { container, path, act });
  } catch (error) {
    if (!(error instanceof DockerFault) || error.code !== "NOT_FOUND" || call.signal.aborted) throw error;
    throw new DockerFault("NOT_FOUND", `${error.message} ${id}`, { cause: error });
  }
}

async function withinContainer<Value>(
  parts: Parts,
  call: Call,
  {
    container,
    path,
    act,
  }: {
    readonly container: DockerContainer;
    readonly path: string;
    readonly act: (root: Root, path: string) => Promise<Value>;
  },
): Promise<Value> {
  // A volume's owners are those that the container sees, whether it runs or not.
  const volume = volumeAt(parts, container, path);
  if (volume?.readOnly === true && call.request.method === "PUT")
    throw new DockerFault("BAD_REQUEST", "mounted volume is marked read-only");
  if (volume !== undefined) return act(new LiveRoot({ root: volume.root, firstId: 0 }, call.signal), volume.path);
  if (hasProgram(container.state)) return act(await liveRoot(parts, container, call.signal), path);
  const { record } = container;
  await using files = await ContainerFiles.open(parts, record, call.signal);
  // Nothing starts it meanwhile.
  return await container.alone(() => act(new StillRoot(files, upperDirectory(parts.nodeDirectory, record)), path));
}

/** Without `..`; a slash or a dot at its end stays, for it means something. */
function absolute(path: string): string {
  const end = /\/\.?$/.exec(path)?.[0] ?? "";
  const clean = join("/", path);
  return end === "/." ? join(clean, "/").concat(".") : end === "/" ? join(clean, "/") : clean;
}

async function liveRoot({ nodeDirectory }: Parts, { pod }: DockerContainer, signal: AbortSignal): Promise<LiveRoot> {
  const process = pod === undefined ? undefined : await localProcess(nodeDirectory, pod);
  if (process === undefined) throw new DockerFault("UNSUPPORTED", "the container runs a component, which has no files");
  const firstId = await firstUidOf(process.pid);
  return new LiveRoot({ root: `/proc/${String(process.pid)}/root`, firstId }, signal);
}

/** The volume or directory of this machine that a path leads into, links not followed; of several the innermost. */
function volumeAt(
  { volumes }: Parts,
  { record }: DockerContainer,
  path: string,
): { readonly root: string; readonly path: string; readonly readOnly: boolean } | undefined {
  const inside = parseCreateBody(record.body)
    .mounts.filter(({ type, target }) => type !== "tmpfs" && `${path}/`.startsWith(`${target.replace(/\/$/, "")}/`))
    .sort((a, b) => b.target.length - a.target.length);
  const [mount] = inside;
  if (mount === undefined) return undefined;
  const root = mount.type === "bind" ? mount.source : volumes.path(record.volumes[mount.target] ?? mount.source);
  return { root, path: join("/", path.slice(mount.target.length)), readOnly: mount.readOnly };
}
