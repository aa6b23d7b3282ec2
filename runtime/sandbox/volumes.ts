import { chmod, chown, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import type { ContainerKind, ContainerLaunch, Volume, VolumeMount } from "../pod/containers/container-launch.ts";
import { PodFault } from "../pod/pod-runtime.ts";
import { realSubPath, writeFilesVolume } from "./files-volume.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { PartMount } from "./start.ts";

/** What Kubernetes leaves to the node; the shared memory of a pod that asks for none in particular, as Docker's. */
const sharedMemoryBytes = 64 << 20;
/** A volume in memory that names no bound; its pages count as the memory of whoever wrote them. */
const memoryVolumeBytesMax = 256 << 20;
/** A volume on disk that names no bound: no pod may fill its node's disk by what was meant for scratch. */
const diskVolumeBytesMax = 10 * 2 ** 30;

const sharedMemoryPath = "/dev/shm";

/** The volumes of a pod, and who mounts them. */
export interface VolumePlan {
  readonly volumes: readonly Volume[];
  readonly containers: readonly { readonly kind: ContainerKind; readonly mounts: readonly VolumeMount[] }[];
}

/** Volumes of a pod: their directories on this machine, filled before any container runs. */
export class PodVolumes {
  readonly #kernel: Pick<Kernel, "mountMemory" | "diskUsage">;
  readonly #directory: string;
  readonly #plan: VolumePlan;

  constructor(kernel: Pick<Kernel, "mountMemory" | "diskUsage">, directory: string, plan: VolumePlan) {
    this.#kernel = kernel;
    this.#directory = directory;
    this.#plan = plan;
  }

  /** Makes them; `owner` is who root of the pod is on this machine. @throws PodFault UNSUPPORTED */
  async open(owner: number): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    const roots = this.#plan.volumes.map(({ name }) => this.#root(name));
    if (this.#sharesMemory) roots.push(this.#sharedMemory);
    for (const root of roots) {
      await mkdir(root, { recursive: true });
      await chown(root, owner, owner);
      await chmod(root, 0o777);
    }
    if (this.#sharesMemory) {
      await this.#kernel.mountMemory(this.#sharedMemory, { bytesMax: sharedMemoryBytes, owner });
    }
    for (const volume of this.#plan.volumes) await this.#fill(volume, owner);
    // Before anything runs that could put a link in the way.
    for (const { volume, subPath } of this.#plan.containers.flatMap(({ mounts }) => mounts)) {
      if (subPath !== undefined && this.#source(volume)?.kind === "emptyDir") {
        await this.#makeSubPath(join(this.#root(volume), subPath), owner);
      }
    }
  }

  /** Where a container's mounts begin. @throws PodFault UNSUPPORTED when there is no such volume or path in it */
  async mountsOf(launch: Pick<ContainerLaunch, "mounts">): Promise<readonly PartMount[]> {
    const mounts: PartMount[] = [];
    if (this.#sharesMemory && !launch.mounts.some(({ mountPath }) => mountPath === sharedMemoryPath)) {
      mounts.push({ root: this.#sharedMemory, isFile: false, mountPath: sharedMemoryPath, readOnly: false });
    }
    for (const { volume, mountPath, readOnly, subPath } of launch.mounts) {
      const source = this.#source(volume);
      if (source === undefined) throw new PodFault("UNSUPPORTED", `the pod has no volume ${volume}`);
      const root = source.kind === "hostPath" ? source.path : this.#root(volume);
      // A file of a volume of files is behind a link, and a mount of it alone follows none.
      const below = source.kind === "files" && subPath !== undefined ? await realSubPath(root, subPath) : subPath;
      const found = await stat(join(root, below ?? subPath ?? "")).catch((error: unknown) => {
        throw new PodFault("UNSUPPORTED", `volume ${volume} has no ${subPath ?? root}: ${errorCode(error) ?? ""}`);
      });
      mounts.push({
        root,
        ...(below === undefined ? {} : { subPath: below }),
        isFile: !found.isDirectory(),
        mountPath,
        readOnly: readOnly || source.kind === "files",
        ...(source.kind === "hostPath" ? { shiftsOwners: true } : {}),
      });
    }
    return mounts;
  }

  /** Gives volumes of files what these have by now; others stay. Those of before stay where there is nothing new. */
  async refresh(volumes: readonly Volume[], owner: number): Promise<void> {
    for (const { name, source } of volumes) {
      if (source.kind !== "files" || this.#source(name)?.kind !== "files") continue;
      await writeFilesVolume(this.#root(name), source.files, owner);
    }
  }

  /** Which volume has outgrown its bound, in words; undefined: none. */
  async outgrown(): Promise<string | undefined> {
    for (const { name, source } of this.#plan.volumes) {
      if (source.kind !== "emptyDir" || source.inMemory) continue;
      const bytesMax = source.bytesMax ?? diskVolumeBytesMax;
      const bytes = await this.#kernel.diskUsage(this.#root(name));
      if (bytes > bytesMax) {
        return `Usage of EmptyDir volume "${name}" exceeds the limit "${String(bytesMax)}": it holds ${String(bytes)} bytes.`;
      }
    }
    return undefined;
  }

  /** A volume is a directory of its number: nothing in the path is a word of the user's. */
  #root(name: string): string {
    return join(this.#directory, String(this.#plan.volumes.findIndex((volume) => volume.name === name)));
  }

  get #sharedMemory(): string {
    return join(this.#directory, "shm");
  }

  /** Several containers have one memory to share; one alone has its own. */
  get #sharesMemory(): boolean {
    return this.#plan.containers.filter(({ kind }) => kind !== "init").length > 1;
  }

  #source(name: string): Volume["source"] | undefined {
    return this.#plan.volumes.find((volume) => volume.name === name)?.source;
  }

  async #fill({ name, source }: Volume, owner: number): Promise<void> {
    const root = this.#root(name);
    switch (source.kind) {
      case "emptyDir":
        if (!source.inMemory) return;
        return this.#kernel.mountMemory(root, { bytesMax: source.bytesMax ?? memoryVolumeBytesMax, owner });
      case "files":
        await writeFilesVolume(root, source.files, owner);
        return chmod(root, 0o755);
      case "hostPath":
        return openHostPath(source);
      default:
        source satisfies never;
    }
  }

  async #makeSubPath(path: string, owner: number): Promise<void> {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let directory = path; directory.length >= first.length; directory = dirname(directory)) {
      await chown(directory, owner, owner);
      await chmod(directory, 0o777);
    }
  }
}

/** core/v1 HostPathType, as far as something is made; whether it is there is asked when it is mounted. */
async function openHostPath({ path, type }: { readonly path: string; readonly type: string }): Promise<void> {
  if (type === "DirectoryOrCreate") await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate") await writeFile(path, "", { flag: "a", mode: 0o644 });
}
