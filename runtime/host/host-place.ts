import { chown, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { layOut, type PathOf } from "../component/prepared-files.ts";
import type { EgressProcess } from "../egress/egress-process.ts";
import { type Cells, seen } from "../sandbox/cell/cells.ts";
import { compileCacheMounts } from "../sandbox/cell/compile-cache.ts";
import type { CellMount } from "../sandbox/kernel/cell-spec.ts";
import { recordedProcess, recordProcess } from "../sandbox/kernel/process-record.ts";
import { egressSocket, hostDirectory, hostName, hostPodSocket, hostSocket } from "./run-files.ts";

export interface HostPlaceSettings {
  readonly runDirectory: string;
  /** What each process sees of prepared components. */
  readonly cacheDirectory: string;
  /** Directory of Node's compile cache of our own programs. */
  readonly compileCache: string;
  readonly cells: Cells;
  readonly egress: EgressProcess;
}

export interface HostRecord {
  readonly pid: number;
  /** Undefined while it is blank. */
  readonly namespace: string | undefined;
  /** The uid of the one pod that it is for; undefined: it is for all of its namespace that need nothing of the machine. */
  readonly ownPod?: string | undefined;
}

/**
 * What one host process has of the machine, and no other process: a directory for its sockets, a directory with the
 * prepared components of its tenant, a user.
 */
export class HostPlace {
  readonly directory: string;
  readonly uid: number | undefined;
  readonly #settings: HostPlaceSettings;
  readonly #components: string;
  readonly #egress: string;

  private constructor(settings: HostPlaceSettings, directory: string, uid: number | undefined) {
    this.#settings = settings;
    this.directory = directory;
    this.uid = uid;
    this.#egress = settings.egress.directoryOf(hostName(directory));
    this.#components = join(componentsDirectory(settings.cacheDirectory), hostName(directory));
  }

  static async make(settings: HostPlaceSettings, id: string): Promise<HostPlace> {
    const place = new HostPlace(settings, hostDirectory(settings.runDirectory, id), settings.cells.takeUser());
    await mkdir(place.directory, { recursive: true, mode: 0o700 });
    if (place.uid !== undefined) await chown(place.directory, place.uid, place.uid);
    await settings.egress.makeDirectory(hostName(place.directory));
    await mkdir(place.#components, { recursive: true, mode: 0o755 });
    return place;
  }

  /** That of a process which an earlier agent has started. */
  static async found(settings: HostPlaceSettings, directory: string): Promise<HostPlace> {
    const { uid } = await stat(directory);
    const isOurs = uid === process.getuid?.();
    if (!isOurs) settings.cells.reserveUser(uid);
    return new HostPlace(settings, directory, isOurs ? undefined : uid);
  }

  get socketPath(): string {
    return hostSocket(this.directory);
  }

  podSocket(uid: string): string {
    return hostPodSocket(this.directory, uid);
  }

  egressSocket(uid: string): string {
    return egressSocket(this.#egress, uid);
  }

  /** Of a process in it: it finds our programs compiled. */
  get environment(): Readonly<Record<string, string>> {
    return { NODE_COMPILE_CACHE: this.#settings.compileCache };
  }

  /** Beside our code. */
  async mounts(): Promise<readonly CellMount[]> {
    if (!this.#isApart) return [];
    return [
      { from: this.directory, to: this.directory, writable: true },
      seen(this.#components),
      // To connect to a socket nothing has to be writable but the socket.
      seen(this.#egress),
      ...(await compileCacheMounts(this.#settings.compileCache, this.#settings.cells, this.uid)),
    ];
  }

  /**
   * Makes a prepared component visible to the process, at once: a request may wait for it. The files are the same ones.
   * @returns the directory to read it from
   */
  offer(componentDigest: string, pathOf: PathOf): string {
    const offered = join(this.#components, componentDigest.replace(":", "-"));
    layOut(pathOf, offered);
    return offered;
  }

  /** For the next agent, where the process cannot change it: which process it is, and whose. */
  remember(process: HostRecord): Promise<void> {
    return recordProcess(this.#record, {
      pid: process.pid,
      note: [process.namespace, process.ownPod].filter((word) => word !== undefined).join(" "),
    });
  }

  /** Undefined when the process is gone, or nobody knows of it. */
  async recorded(): Promise<HostRecord | undefined> {
    const found = await recordedProcess(this.#record);
    if (found === undefined) return undefined;
    const [namespace = "", ownPod] = found.note.split(" ");
    return { pid: found.pid, namespace: namespace === "" ? undefined : namespace, ownPod };
  }

  /** The process is gone. */
  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    await rm(this.#record, { force: true });
    await rm(this.#components, { recursive: true, force: true });
    await this.#settings.egress.removeDirectory(hostName(this.directory));
    this.#settings.cells.releaseUser(this.uid);
  }

  get #isApart(): boolean {
    return this.#settings.cells.ability.tree !== "none";
  }

  get #record(): string {
    return `${this.directory}.pid`;
  }
}

export const componentsDirectory = (cacheDirectory: string): string => join(cacheDirectory, "components");
