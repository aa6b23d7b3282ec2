import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "@shallop/sdk/internal";
import type { MountRequest } from "../containers/create-body.ts";
import type { RecordStore } from "../containers/record-store.ts";
import type { EventLog } from "../event-log.ts";
import { DockerFault } from "../http/docker-fault.ts";

/** What is stored of a volume. */
export interface VolumeRecord {
  readonly name: string;
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** It was made for this container, which gave it no name: it may go with it. */
  readonly madeFor?: string;
}

/** A directory each; more is a script that does not tidy up. */
const volumesMax = 10_000;
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

interface VolumeParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventLog;
}

/** Named volumes: directories of this machine, which pods mount by path. */
export class Volumes {
  readonly #directory: string;
  readonly #records: RecordStore<VolumeRecord>;
  readonly #clock: Clock;
  readonly #events: EventLog;
  readonly #byName = new Map<string, VolumeRecord>();

  private constructor(directory: string, records: RecordStore<VolumeRecord>, { clock, events }: VolumeParts) {
    this.#directory = directory;
    this.#records = records;
    this.#clock = clock;
    this.#events = events;
  }

  /** @param directory where their files are, a folder each */
  static async open(directory: string, records: RecordStore<VolumeRecord>, parts: VolumeParts): Promise<Volumes> {
    // Searchable, because programs of pods that are not root go through it to what they mount.
    await mkdir(directory, { recursive: true, mode: 0o711 });
    const volumes = new Volumes(directory, records, parts);
    for (const record of await records.all(parts.log)) volumes.#byName.set(record.name, record);
    return volumes;
  }

  all(): readonly VolumeRecord[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  path(name: string): string {
    return join(this.#directory, name, "_data");
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** @throws DockerFault NOT_FOUND */
  find(name: string): VolumeRecord {
    const found = this.#byName.get(name);
    if (found === undefined) throw new DockerFault("NOT_FOUND", `get ${name.slice(0, 200)}: no such volume`);
    return found;
  }

  /** Makes it, or gives the one that is there by that name. @throws DockerFault BAD_REQUEST, TOO_MANY */
  async create(
    wanted: Partial<Pick<VolumeRecord, "name" | "labels" | "options" | "madeFor">>,
  ): Promise<{ readonly volume: VolumeRecord; readonly isNew: boolean }> {
    const { name = randomBytes(32).toString("hex"), labels = {}, options = {}, madeFor } = wanted;
    if (!namePattern.test(name)) {
      throw new DockerFault(
        "BAD_REQUEST",
        `"${name.slice(0, 80)}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
      );
    }
    const there = this.#byName.get(name);
    if (there !== undefined) return { volume: there, isNew: false };
    if (this.#byName.size >= volumesMax)
      throw new DockerFault(
        "TOO_MANY",
        `there are ${String(volumesMax)} volumes; docker volume prune removes those that nothing uses`,
      );
    const createdAt = new Date(this.#clock.wallMs()).toISOString();
    const volume: VolumeRecord = { name, createdAt, labels, options, ...(madeFor === undefined ? {} : { madeFor }) };
    this.#byName.set(name, volume);
    await mkdir(this.path(name), { recursive: true, mode: 0o755 });
    await this.#records.put(name, volume);
    this.#events.emit("volume", "create", name, { driver: "local" });
    return { volume, isNew: true };
  }

  async remove({ name }: VolumeRecord): Promise<void> {
    this.#byName.delete(name);
    await rm(join(this.#directory, name), { recursive: true, force: true });
    await this.#records.remove(name);
    this.#events.emit("volume", "destroy", name, { driver: "local" });
  }

  /** Makes those that a container mounts and that are not there. @returns names by target */
  async forContainer(id: string, mounts: readonly MountRequest[]): Promise<Readonly<Record<string, string>>> {
    const names: Record<string, string> = {};
    for (const { type, source, target } of mounts) {
      if (type !== "volume") continue;
      const { volume } = await this.create(source === "" ? { madeFor: id } : { name: source });
      names[target] = volume.name;
    }
    return names;
  }

  /** Those that were made for a container and have no name of somebody's choice. */
  madeFor(id: string): readonly VolumeRecord[] {
    return this.all().filter(({ madeFor }) => madeFor === id);
  }
}
