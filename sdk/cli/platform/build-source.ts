import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { ownPlatform, type Project, projectFile, readProject } from "../../build/index.ts";
import { isRepositoryName } from "../../image/index.ts";
import { CliFault } from "../cli-fault.ts";
import { type BuildFlags, platformsOf } from "./build-flags.ts";

/** What is built, and what goes away afterwards. */
export interface BuildSource extends AsyncDisposable {
  readonly project: Project;
}

/** As Docker looks for them, and podman. */
const dockerfileNames = ["Dockerfile", "Containerfile"];
/** What comes through a pipe is kept on disk until it is built. */
const pipedBytesMax = 8 * 1024 ** 3;

/**
 * What `shallop build PATH` means: a project with its file; a directory, or an archive, with a Dockerfile; a component; with
 * `--rootfs` a directory or archive that is a root file system. `-` is an archive from standard input.
 * @throws CliFault USAGE, BuildFault PROJECT_INVALID
 */
export async function buildSource(path: string, flags: BuildFlags): Promise<BuildSource> {
  if (path === "-") return pipedSource(flags);
  const place = resolve(path);
  const found = await stat(place).catch(() => undefined);
  if (/^(https?|git|ssh):\/\//.test(path))
    throw new CliFault("USAGE", `${path} is not fetched; clone it, and name the directory`);
  if (flags.rootfs === true) {
    if (found === undefined) throw new CliFault("USAGE", `there is no directory or archive ${place}`);
    return kept(rootfsProject(place, flags));
  }
  if (found?.isFile() === true && extname(place) === ".wasm") {
    const { directory, name } = placeOf(place);
    const wasm = { source: place, engine: "quickjs" as const, args: [], libc: false };
    return kept({ directory, name, version: "latest", native: [], wasm });
  }
  if (found?.isFile() === true) return kept(dockerfileProject(place, flags.file ?? "Dockerfile", flags));
  if (found?.isDirectory() === true) {
    const isProject = await isFile(join(place, projectFile));
    const dockerfile = flags.file ?? (isProject ? undefined : await dockerfileIn(place));
    // As every file it is named from where the user is.
    if (dockerfile !== undefined) return kept(dockerfileProject(place, resolve(dockerfile), flags));
  }
  return kept(await readProject(place));
}

const kept = (project: Project): BuildSource => ({ project, [Symbol.asyncDispose]: async () => undefined });

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() === true;

async function dockerfileIn(directory: string): Promise<string | undefined> {
  for (const name of dockerfileNames) if (await isFile(join(directory, name))) return join(directory, name);
  return undefined;
}

async function pipedSource(flags: BuildFlags): Promise<BuildSource> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-context-"));
  const archive = join(directory, "context");
  const dispose = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    await pipeline(bounded(process.stdin), createWriteStream(archive, { mode: 0o600 }));
    const project = dockerfileProject(archive, flags.file ?? "Dockerfile", flags);
    return { project, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > pipedBytesMax) throw new CliFault("USAGE", `standard input has more than ${pipedBytesMax} bytes`);
    yield chunk;
  }
}

/** @param dockerfile absolute, or in an archive from its root */
function dockerfileProject(context: string, dockerfile: string, flags: BuildFlags): Project {
  const { directory, name } = placeOf(context);
  const native = {
    ...{ kind: "dockerfile" as const, context, buildArgs: {}, platforms: [] },
    dockerfile,
    ...(flags.target === undefined ? {} : { target: flags.target }),
  };
  return { directory, name, version: "latest", native: [native] };
}

function rootfsProject(place: string, flags: BuildFlags): Project {
  const { directory, name } = placeOf(place);
  const platforms = platformsOf(flags) ?? [ownPlatform()];
  const config = { entrypoint: flags.entrypoint, cmd: [], env: [], user: "", workingDir: "" };
  const native = platforms.map((platform) => ({ kind: "rootfs" as const, rootfs: place, platform, ...config }));
  return { directory, name, version: "latest", native };
}

/** A name for what has none: that of its directory or file, as far as it can be one. */
function placeOf(path: string): { readonly directory: string; readonly name: string } {
  const bare = basename(path).replace(/\.(wasm|tar|tgz|tar\.gz|tar\.zst)$/, "");
  const name = bare
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return { directory: dirname(path), name: isRepositoryName(name) ? name : "image" };
}
