import { posix } from "node:path";
import type { PodLaunch } from "../pod/pod-runtime.ts";
import { PodFault } from "../pod/pod-runtime.ts";
import type { LocalNativeImage } from "../image/local-image.ts";
import { lookUp, readImageFile } from "./image-files.ts";
import { resolveUser } from "./image-user.ts";
import type { OciUser } from "./oci-spec.ts";

/** What a native pod runs: the image's config with the launch's own words put over it, checked. */
export interface ImageProcess {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: OciUser;
  /** The image has no such directory as `cwd`: it is to be made. */
  readonly cwdMissing: boolean;
}

/** A launch whose image is known to be native. */
export type NativeLaunch = Pick<
  PodLaunch,
  | "uid"
  | "namespace"
  | "name"
  | "env"
  | "command"
  | "args"
  | "workingDir"
  | "limits"
  | "security"
  | "dns"
  | "hosts"
  | "shares"
> & {
  readonly image: LocalNativeImage;
};

// execve(2) takes 2 MiB of arguments and environment with the usual stack limit, 128 KiB of one string.
const stringBytesMax = 128 * 1024 - 1;
const totalBytesMax = 1 << 20;
// A distribution's has some dozens of lines; directories of thousands of users are not in images.
const userFileBytesMax = 1 << 20;
// PATH_MAX.
const pathBytesMax = 4095;

// What a shell has when nobody says otherwise, as OCI runtimes and Docker set it.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where a working directory would be an opened file of whoever starts the container, or the kernel's own trees. */
const forbiddenRoots = ["/proc", "/sys", "/dev"];

/** @throws PodFault IMAGE_INVALID, with what in the image's config cannot be run. */
export async function imageProcess(launch: NativeLaunch, layersTopFirst: readonly string[]): Promise<ImageProcess> {
  const args = commandOf(launch);
  const env = environmentOf(launch);
  checkStrings(launch, [...args, ...env]);
  const wantedCwd = launch.workingDir ?? launch.image.config.workingDir;
  const cwd = await workingDirectory(launch, wantedCwd === "" ? "/" : wantedCwd, layersTopFirst);
  const [passwd, group] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((path) => readImageFile(layersTopFirst, path, userFileBytesMax)),
  );
  const user = resolveUser(wantedUser(launch), { passwd: passwd ?? "", group: group ?? "" });
  if (typeof user === "string") throw invalid(launch, user);
  const { runAsNonRoot = false, supplementalGroups = [] } = launch.security ?? {};
  if (runAsNonRoot && user.uid === 0) {
    throw invalid(
      launch,
      "it runs as root, and the pod says runAsNonRoot; give the image a USER, or the pod a runAsUser",
    );
  }
  const additionalGids = [...new Set([...user.additionalGids, ...supplementalGroups])];
  return { args, env, user: { ...user, additionalGids }, ...cwd };
}

/** What the pod says, as an image would write it; else what the image says. */
function wantedUser({ security, image }: NativeLaunch): string {
  const { runAsUser, runAsGroup, user } = security ?? {};
  if (user !== undefined) return user;
  const [ofImage] = image.config.user.split(":");
  if (runAsUser === undefined && runAsGroup === undefined) return image.config.user;
  const group = runAsGroup === undefined ? "" : `:${runAsGroup}`;
  return `${runAsUser ?? (ofImage === "" ? "0" : ofImage)}${group}`;
}

/** As Kubernetes combines them: a command replaces the entrypoint and drops the image's own arguments. */
function commandOf(launch: NativeLaunch): readonly string[] {
  const { entrypoint, cmd } = launch.image.config;
  const command = launch.command ?? entrypoint;
  const args = launch.args ?? (launch.command === undefined ? cmd : []);
  const all = [...command, ...args];
  if (all[0] === undefined || all[0] === "") {
    throw invalid(launch, "it has neither entrypoint nor command; give the service a command");
  }
  return all;
}

function environmentOf(launch: NativeLaunch): readonly string[] {
  const byName = new Map<string, string>();
  for (const text of [defaultPath, ...launch.image.config.env]) {
    const separator = text.indexOf("=");
    if (separator <= 0)
      throw invalid(launch, `its environment has ${JSON.stringify(text.slice(0, 100))}, which is not NAME=value`);
    byName.set(text.slice(0, separator), text.slice(separator + 1));
  }
  for (const { name, value } of launch.env) byName.set(name, value);
  return [...byName].map(([name, value]) => `${name}=${value}`);
}

function checkStrings(launch: NativeLaunch, strings: readonly string[]): void {
  let totalBytes = 0;
  for (const text of strings) {
    const bytes = Buffer.byteLength(text);
    totalBytes += bytes;
    if (text.includes("\0")) throw invalid(launch, "its command or environment holds a NUL byte");
    if (bytes > stringBytesMax)
      throw invalid(launch, `its command or environment has a string of ${bytes} bytes; Linux takes ${stringBytesMax}`);
  }
  if (totalBytes > totalBytesMax) {
    throw invalid(launch, `its command and environment have ${totalBytes} bytes; at most ${totalBytesMax} are taken`);
  }
}

async function workingDirectory(
  launch: NativeLaunch,
  wanted: string,
  layersTopFirst: readonly string[],
): Promise<{ readonly cwd: string; readonly cwdMissing: boolean }> {
  const shown = JSON.stringify(wanted.slice(0, 200));
  if (!wanted.startsWith("/") || wanted.includes("\0") || Buffer.byteLength(wanted) > pathBytesMax) {
    throw invalid(launch, `its working directory ${shown} is no absolute path`);
  }
  // Both what is written and what it leads to: a link in the image may lead where the words do not.
  const entry = await lookUp(layersTopFirst, wanted);
  const named = [posix.normalize(wanted), entry.path];
  const forbidden = forbiddenRoots.find((root) => named.some((path) => path === root || path.startsWith(`${root}/`)));
  if (forbidden !== undefined) throw invalid(launch, `its working directory ${shown} lies in ${forbidden}`);
  if (entry.kind === "file" || entry.kind === "other") {
    throw invalid(launch, `its working directory ${shown} is no directory`);
  }
  return { cwd: entry.path, cwdMissing: entry.kind === "missing" };
}

const invalid = (launch: NativeLaunch, problem: string): PodFault =>
  new PodFault(
    "IMAGE_INVALID",
    `cannot start ${launch.namespace}/${launch.name}: image ${launch.image.digest}: ${problem}`,
  );
