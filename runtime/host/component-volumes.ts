import { createHash } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
import type { Volume } from "../pod/containers/container-launch.ts";
import { type ComponentFiles, PodFault } from "../pod/pod-runtime.ts";
import type { CellMount } from "../sandbox/kernel/cell-spec.ts";
import type { Kernel } from "../sandbox/kernel/kernel.ts";
import type { PartMount } from "../sandbox/start.ts";
import { PodVolumes, type VolumePlan } from "../sandbox/volumes.ts";

/** What the volumes of a pod are to its process. */
export interface OpenVolumes {
  /** For its cell. */
  readonly mounts: readonly CellMount[];
  /** For its guests. */
  readonly directories: readonly GrantedDirectory[];
}

export type VolumeKernel = Pick<Kernel, "mountMemory" | "unmountBelow" | "diskUsage" | "giveTree" | "removeTree">;

interface Outgrown {
  readonly uid: string;
  readonly message: string;
}

/** Written once a pod's volumes are there: what an agent that comes later needs to know of them, without their contents. */
interface VolumesRecord {
  readonly uid: string;
  readonly owner: number;
  readonly volumes: readonly Volume[];
}

/**
 * Volumes of components: the same directories that containers get, seen by the one process that serves their pod. They
 * stay while the pod is started again, and outlive an agent.
 */
export class ComponentVolumes {
  readonly #directory: string;
  readonly #kernel: VolumeKernel;
  #looks = false;

  constructor(directory: string, kernel: VolumeKernel) {
    this.#directory = directory;
    this.#kernel = kernel;
  }

  /**
   * Makes a pod's volumes, or finds those that a run before has left. No process that sees them may be there.
   * `owner` is whose they are to be; undefined: ours. @throws PodFault UNSUPPORTED
   */
  async open(uid: string, files: ComponentFiles, owner = process.getuid?.() ?? 0): Promise<OpenVolumes> {
    const pod = this.#volumes(uid, { volumes: files.volumes, containers: [{ kind: "main", mounts: files.mounts }] });
    const record = await this.#read(this.#of(uid));
    if (record === undefined) {
      await this.remove(uid);
      refuseMemoryWithoutRoot(files.volumes);
      await mkdir(this.#of(uid), { recursive: true, mode: 0o711 });
      await pod.open(owner);
    } else {
      if (record.owner !== owner) await this.#kernel.giveTree(this.#volumesOf(uid), owner);
      await pod.refresh(files.volumes, owner);
    }
    const opened = await this.#granted(uid, await pod.mountsOf(files), owner);
    await this.#write({ uid, owner, volumes: files.volumes.map(withoutContents) });
    return opened;
  }

  /** Gives volumes of files what these have by now. */
  async refresh(uid: string, volumes: readonly Volume[]): Promise<void> {
    const record = await this.#read(this.#of(uid));
    if (record !== undefined) await this.#known(record).refresh(volumes, record.owner);
  }

  /** Pods that have a volume which has outgrown its bound, and which, in words. Of what cannot be measured: none; none, too, while a look at large ones is under way. */
  async outgrown(): Promise<readonly Outgrown[]> {
    if (this.#looks) return [];
    this.#looks = true;
    try {
      return await this.#lookAtAll();
    } finally {
      this.#looks = false;
    }
  }

  async #lookAtAll(): Promise<readonly Outgrown[]> {
    const found: Outgrown[] = [];
    for (const name of await this.#names()) {
      const record = await this.#read(join(this.#directory, name));
      const message =
        record &&
        (await this.#known(record)
          .outgrown()
          .catch(() => undefined));
      if (record !== undefined && message !== undefined) found.push({ uid: record.uid, message });
    }
    return found;
  }

  /** No process that sees them is there any more. */
  async remove(uid: string): Promise<void> {
    await this.#removeDirectory(this.#of(uid));
  }

  /** Removes those of pods that are not among `uids`. */
  async sweep(uids: ReadonlySet<string>): Promise<void> {
    const living = new Set([...uids].map((uid) => this.#of(uid)));
    for (const name of await this.#names()) {
      const directory = join(this.#directory, name);
      if (!living.has(directory)) await this.#removeDirectory(directory);
    }
  }

  /** Directories as they are; files one by one in a directory that holds them alone, for only directories are granted. */
  async #granted(uid: string, parts: readonly PartMount[], owner: number): Promise<OpenVolumes> {
    const mounts = new Map<string, CellMount>();
    const directories: GrantedDirectory[] = [];
    for (const { root, subPath = "", mountPath, readOnly } of parts.filter(({ isFile }) => !isFile)) {
      const host = join(root, subPath);
      await refuseLinkOut(root, host);
      directories.push({ host, guest: mountPath, writable: !readOnly });
      const writable = !readOnly || mounts.get(root)?.writable === true;
      mounts.set(root, { from: root, to: root, writable });
    }
    const files = Map.groupBy(
      parts.filter(({ isFile }) => isFile),
      ({ mountPath }) => dirname(mountPath),
    );
    await rm(join(this.#of(uid), "files"), { recursive: true, force: true });
    for (const [guest, those] of files) {
      const host = join(this.#of(uid), "files", hexHash(guest));
      if (directories.some((granted) => granted.guest === guest)) {
        throw new PodFault("UNSUPPORTED", `a component cannot have single files in ${guest}, which is a volume too`);
      }
      await mkdir(host, { recursive: true, mode: 0o755 });
      for (const part of those) await copyOf(part, join(host, basename(part.mountPath)), owner);
      mounts.set(host, { from: host, to: host, writable: false });
      directories.push({ host, guest, writable: false });
    }
    return { mounts: [...mounts.values()], directories };
  }

  #known({ uid, volumes }: VolumesRecord): PodVolumes {
    return this.#volumes(uid, { volumes, containers: [] });
  }

  #volumes(uid: string, plan: VolumePlan): PodVolumes {
    return new PodVolumes(this.#kernel, this.#volumesOf(uid), plan);
  }

  /** Nothing in the path is a word of the user's. */
  #of(uid: string): string {
    return join(this.#directory, hexHash(uid));
  }

  #volumesOf(uid: string): string {
    return join(this.#of(uid), "volumes");
  }

  async #names(): Promise<readonly string[]> {
    return readdir(this.#directory).catch(() => []);
  }

  async #removeDirectory(directory: string): Promise<void> {
    await this.#kernel.unmountBelow(directory);
    await this.#kernel.removeTree(directory);
  }

  async #write(record: VolumesRecord): Promise<void> {
    const file = join(this.#of(record.uid), recordName);
    await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  /** Undefined when its volumes have not all been made. */
  async #read(directory: string): Promise<VolumesRecord | undefined> {
    try {
      // Ours: written whole, by a version that knows what it writes.
      return JSON.parse(await readFile(join(directory, recordName), "utf8")) as VolumesRecord;
    } catch {
      return undefined;
    }
  }
}

const recordName = "volumes.json";

const hexHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** Contents may be secrets, and are asked for anew. */
const withoutContents = (volume: Volume): Volume =>
  volume.source.kind === "files" ? { name: volume.name, source: { kind: "files", files: [] } } : volume;

/** @throws PodFault UNSUPPORTED */
function refuseMemoryWithoutRoot(volumes: readonly Volume[]): void {
  const found = volumes.find(({ source }) => source.kind === "emptyDir" && source.inMemory);
  if (found === undefined || process.getuid?.() === 0) return;
  throw new PodFault(
    "UNSUPPORTED",
    `volume ${found.name} is in memory, which only root can mount; start shallop as root`,
  );
}

/**
 * A guest of an earlier run may have put a link where a path of its volume begins. Nobody changes it now.
 * @throws PodFault UNSUPPORTED
 */
async function refuseLinkOut(root: string, host: string): Promise<void> {
  const real = await realpath(host).catch((error: unknown) => errorCode(error) ?? "unknown error");
  const inside = await realpath(root);
  if (real === inside || real.startsWith(inside + sep)) return;
  throw new PodFault("UNSUPPORTED", `a volume's path ${JSON.stringify(basename(host))} leads out of it: ${real}`);
}

/** As a file that is mounted alone is: what it was at the start. @throws PodFault UNSUPPORTED */
async function copyOf(
  { root, subPath = "", mountPath, readOnly }: PartMount,
  to: string,
  owner: number,
): Promise<void> {
  if (!readOnly) {
    throw new PodFault("UNSUPPORTED", `a component can be given ${mountPath}, a single file, only to read`);
  }
  const from = join(root, subPath);
  await refuseLinkOut(root, from);
  await writeFile(to, await readFile(from), { mode: 0o600 });
  await chown(to, owner, owner);
  await chmod(to, 0o400);
}
