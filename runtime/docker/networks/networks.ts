import { randomBytes } from "node:crypto";
import type { JsonObject } from "@shallop/sdk/api";
import { type Clock, describeError, type Log } from "@shallop/sdk/internal";
import type { ContainerRequest } from "../containers/create-body.ts";
import { predefinedNetworks } from "../containers/pod-spec.ts";
import type { RecordStore } from "../containers/record-store.ts";
import type { EventLog } from "../event-log.ts";
import { DockerFault } from "../http/docker-fault.ts";

/** What is stored of a network. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly driver: string;
  /** As the client sent it. */
  readonly body: JsonObject;
}

/** Docker's own address pools have room for fewer. */
const networksMax = 1000;

interface NetworkParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventLog;
}

/** Networks by name: the three that there always are, and those that somebody made. */
export class Networks {
  readonly #records: RecordStore<NetworkRecord>;
  readonly #clock: Clock;
  readonly #events: EventLog;
  readonly #byName = new Map<string, NetworkRecord>();

  private constructor(records: RecordStore<NetworkRecord>, { clock, events }: NetworkParts) {
    this.#records = records;
    this.#clock = clock;
    this.#events = events;
  }

  static async open(records: RecordStore<NetworkRecord>, parts: NetworkParts): Promise<Networks> {
    const networks = new Networks(records, parts);
    for (const record of await records.all(parts.log)) networks.#byName.set(record.name, record);
    for (const name of predefinedNetworks) {
      if (networks.#byName.has(name)) continue;
      await networks.#put({ name, driver: name === "none" ? "null" : name, body: {} });
    }
    return networks;
  }

  all(): readonly NetworkRecord[] {
    return [...this.#byName.values()];
  }

  /** By name, id, or the begin of one. @throws DockerFault NOT_FOUND */
  find(text: string): NetworkRecord {
    const found =
      this.#byName.get(text) ?? this.all().find(({ id }) => /^[0-9a-f]{4,64}$/.test(text) && id.startsWith(text));
    if (found === undefined) throw new DockerFault("NOT_FOUND", `network ${text.slice(0, 200)} not found`);
    return found;
  }

  idOf(name: string): string {
    return this.#byName.get(name)?.id ?? "";
  }

  isPredefined({ name }: NetworkRecord): boolean {
    return predefinedNetworks.includes(name);
  }

  /** @throws DockerFault CONFLICT, TOO_MANY */
  async create(network: Pick<NetworkRecord, "name" | "driver" | "body">): Promise<NetworkRecord> {
    if (this.#byName.has(network.name)) {
      throw new DockerFault("CONFLICT", `network with name ${network.name} already exists`);
    }
    if (this.#byName.size >= networksMax)
      throw new DockerFault("TOO_MANY", `there are ${String(networksMax)} networks`);
    const record = await this.#put(network);
    this.tell(record, "create");
    return record;
  }

  async remove(network: NetworkRecord): Promise<void> {
    this.#byName.delete(network.name);
    await this.#records.remove(network.id);
    this.tell(network, "destroy");
  }

  tell({ id, name, driver }: NetworkRecord, action: string, more: Readonly<Record<string, string>> = {}): void {
    this.#events.emit("network", action, id, { name, type: driver, ...more });
  }

  /** The networks of a container that is made, with its aliases there. @throws DockerFault BAD_REQUEST, UNSUPPORTED */
  wanted({ networkMode, networks }: ContainerRequest): Readonly<Record<string, readonly string[]>> {
    const mode = networkMode === "" || networkMode === "default" ? "bridge" : networkMode;
    if (mode === "host") {
      throw new DockerFault(
        "UNSUPPORTED",
        "--network host: containers have a network of their own; publish ports with -p",
      );
    }
    if (mode.startsWith("container:")) {
      throw new DockerFault(
        "UNSUPPORTED",
        "--network container:… : a container that shares another's network is one of the same pod; see kubectl",
      );
    }
    const named = networks.map(({ name, aliases }): [string, readonly string[]] => [
      name === "default" ? mode : name,
      aliases,
    ]);
    const all = named.length > 0 ? named : [[mode, []] as [string, readonly string[]]];
    return Object.fromEntries(all.map(([name, aliases]) => [this.#wanted(name), aliases]));
  }

  /** Not found is not its code: clients would look for the image elsewhere, and try again. */
  #wanted(name: string): string {
    try {
      return this.find(name).name;
    } catch (error) {
      throw new DockerFault("BAD_REQUEST", `failed to set up container networking: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  async #put(network: Pick<NetworkRecord, "name" | "driver" | "body">): Promise<NetworkRecord> {
    const record = {
      ...network,
      id: randomBytes(32).toString("hex"),
      createdAt: new Date(this.#clock.wallMs()).toISOString(),
    };
    this.#byName.set(record.name, record);
    await this.#records.put(record.id, record);
    return record;
  }
}
