import { existsSync } from "node:fs";
import type { StoredLayer } from "@shallop/sdk/image";
import { DockerfileFault } from "@shallop/sdk/wire";
import { imageArchitecture } from "../image/choose.ts";
import { resolveUser } from "../sandbox/image-user.ts";
import type { BuildTools } from "./build-tools.ts";
import { commandLine, variableOf, withVariable } from "./config-step.ts";
import { defaultPath } from "./container-config.ts";
import { lineFault } from "./dockerfile/fault.ts";
import type { RunInstruction } from "./dockerfile/instruction.ts";
import { findPath, toName } from "./file-tree.ts";
import { imageText } from "./image-trees.ts";
import { type ImageState, isProxyArg, type Scope, stateKey } from "./stage-state.ts";

/** Where a working directory would be the kernel's own trees. */
const forbiddenRoots = ["proc", "sys", "dev"];
/** What execve(2) takes of one string. */
const stringBytesMax = 128 * 1024 - 1;

/** RUN: the program in a container; what it has changed is the layer. @throws DockerfileFault, ImageFault */
export async function runStep(
  tools: BuildTools,
  state: ImageState,
  run: {
    readonly id: string;
    readonly instruction: RunInstruction;
    readonly scope: Scope;
    readonly line: number;
    readonly buildArgs: Readonly<Record<string, string>>;
  },
): Promise<{ readonly layer: StoredLayer | undefined; readonly cached: boolean }> {
  const { cache, settings } = tools;
  const { config } = state.description;
  const args = commandLine(config, run.instruction.command);
  const variables = run.scope.runArgs(state);
  const key = cache.key(
    "run",
    stateKey(state),
    args,
    variables.filter(([name]) => !isProxyArg(name)),
  );
  const known = await cache.find(key);
  if (known !== undefined) return { ...known, cached: true };
  checkPlatform(state);
  const proxies = Object.entries(run.buildArgs).filter(
    ([name]) => isProxyArg(name) && variableOf(config.env, name) === undefined,
  );
  const env = [...config.env, ...(variableOf(config.env, "PATH") === undefined ? [defaultPath] : [])];
  const all = [...proxies, ...variables].reduce(withVariable, env);
  const long = [...args, ...all].find((text) => Buffer.byteLength(text) > stringBytesMax || text.includes("\0"));
  if (long !== undefined) throw lineFault(run.line, "its command or environment has a text that Linux does not take");
  const [image, layerPaths, sandbox] = await Promise.all([
    tools.trees.tree(state.layers),
    tools.unpack(state.layers, tools.signal),
    tools.sandbox(),
  ]);
  for (const text of sandbox.takeNotes()) tools.emit({ id: run.id, kind: "note", text });
  const [passwd = "", group = ""] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((path) => imageText(image, path, tools.spool)),
  );
  const user = resolveUser(config.user, { passwd, group });
  if (typeof user === "string") throw lineFault(run.line, user.replace(/^its /, "the "));
  const cwd = workingDirectoryOf(config.workingDir, run.line);
  const place = findPath(image, toName(cwd), { outside: "stay" });
  if (place.node !== undefined && place.node.kind !== "directory")
    throw lineFault(run.line, `the working directory ${cwd} is a file`);
  const layer = await sandbox
    .run(
      {
        ...{ args, env: all, cwd, user, layerPaths, image },
        limits: settings.run,
        mtimeMax: Math.floor(settings.createdMs / 1000),
        onLine: (text) => tools.emit({ id: run.id, kind: "output", text }),
      },
      tools.signal,
    )
    .catch((error: unknown) => {
      throw withHint(error, settings.run.network);
    });
  await cache.keep(key, { layer });
  return { layer, cached: false };
}

function workingDirectoryOf(path: string, line: number): string {
  const cwd = path === "" ? "/" : path;
  const [, first = ""] = cwd.split("/");
  if (!cwd.startsWith("/") || forbiddenRoots.includes(first))
    throw lineFault(line, `no program can be run in the working directory ${cwd}`);
  return cwd;
}

/** Programs of another processor need an emulator that the kernel knows. */
function checkPlatform({ description }: ImageState): void {
  const { architecture, os } = description.platform;
  const own = imageArchitecture(process.arch);
  if (os === "linux" && architecture === own) return;
  const emulators: Readonly<Record<string, string>> = {
    amd64: "x86_64",
    arm64: "aarch64",
    arm: "arm",
    riscv64: "riscv64",
    ppc64le: "ppc64le",
    s390x: "s390x",
  };
  const emulator = emulators[architecture];
  if (os === "linux" && emulator !== undefined && existsSync(`/proc/sys/fs/binfmt_misc/qemu-${emulator}`)) return;
  throw new DockerfileFault(
    "BUILD_UNSUPPORTED",
    `RUN for ${os}/${architecture} needs an emulator on this linux/${own}: run \`apt-get install qemu-user-static\`, or FROM --platform=$BUILDPLATFORM where the program can be made here`,
  );
}

/** The commonest reason why what works elsewhere fails here. */
function withHint(error: unknown, network: "none" | "host"): unknown {
  if (!(error instanceof DockerfileFault) || error.code !== "RUN_FAILED" || network === "host") return error;
  return new DockerfileFault(error.code, `${error.message}. RUN has no network; if it needs one: --network host`, {
    cause: error,
  });
}
