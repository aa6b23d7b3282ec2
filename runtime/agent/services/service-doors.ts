import type { Duplex } from "node:stream";
import { connect, isIP, type Socket } from "node:net";
import { lookup } from "node:dns/promises";
import { type Clock, describeError, type Log, type Random, unreachable } from "@shallop/sdk/internal";
import { addressJudge } from "../../component/egress/address-judge.ts";
import { datagramTarget } from "../ports/datagram-target.ts";
import { type BoundSocket, endTogether, HostPorts, type PortTarget } from "../ports/host-ports.ts";
import type { Backend, Door } from "./service-table.ts";

/** How a pod of the cluster is reached. */
interface PodReach {
  /** A pod of this node; undefined: it is not here. */
  local(uid: string): PortTarget | undefined;
  /** A connection to a port of another node's pod. */
  remote(pod: { readonly node: string; readonly uid: string; readonly port: number }): Promise<Duplex>;
}

export interface ServiceDoorsSettings {
  readonly reach: PodReach;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Where a door is open: what is sent to its address and port is to be led to `listening` of the node. */
export interface OpenDoor {
  readonly door: Door;
  readonly listening: number;
}

interface Opened {
  readonly ports: HostPorts;
  readonly target: DoorTarget;
}

/** A listener of the node for each door, and behind it one of its backends for each connection. */
export class ServiceDoors implements Disposable {
  readonly #settings: ServiceDoorsSettings;
  readonly #opened = new Map<string, Opened>();
  #host = "";

  constructor(settings: ServiceDoorsSettings) {
    this.#settings = settings;
  }

  /**
   * These doors and no others, listening on an address of the node. Connections through doors that stay go on. What
   * cannot be opened is told, and left out.
   */
  async open(host: string, doors: readonly Door[], boundSocket?: BoundSocket): Promise<readonly OpenDoor[]> {
    if (host !== this.#host) this[Symbol.dispose]();
    this.#host = host;
    const wanted = new Map(doors.map((door) => [keyOf(door), door]));
    for (const [key, { ports }] of this.#opened) {
      if (wanted.has(key)) continue;
      ports[Symbol.dispose]();
      this.#opened.delete(key);
    }
    const open: OpenDoor[] = [];
    for (const [key, door] of wanted) {
      const opened = this.#opened.get(key) ?? (await this.#listen(key, door, boundSocket));
      if (opened === undefined) continue;
      opened.target.door = door;
      open.push({ door, listening: opened.ports.listening[0] ?? 0 });
    }
    return open;
  }

  [Symbol.dispose](): void {
    for (const { ports } of this.#opened.values()) ports[Symbol.dispose]();
    this.#opened.clear();
  }

  async #listen(key: string, door: Door, boundSocket?: BoundSocket): Promise<Opened | undefined> {
    const { clock, log } = this.#settings;
    try {
      const port = { protocol: door.protocol, hostIp: this.#host, hostPort: 0, containerPort: door.port };
      const ports = await HostPorts.open([port], clock, boundSocket);
      const opened = { ports, target: new DoorTarget(door, this.#settings) };
      opened.ports.lead(opened.target);
      this.#opened.set(key, opened);
      return opened;
    } catch (error) {
      log.warn("a port of a Service leads nowhere", { door: key, error: describeError(error) });
      return undefined;
    }
  }
}

const keyOf = ({ protocol, address, port }: Door): string => `${protocol} ${address}:${String(port)}`;

/** Special addresses are nobody's backends: a Service is no way into the node's own networks. */
const judge = addressJudge();

/** One backend a connection: the next one, or for a sticky door the one that the client's address comes to. */
class DoorTarget implements PortTarget {
  door: Door;
  readonly #settings: ServiceDoorsSettings;
  #turn: number;

  constructor(door: Door, settings: ServiceDoorsSettings) {
    this.door = door;
    this.#settings = settings;
    this.#turn = settings.random.below(1 << 16);
  }

  connect(client: Duplex): void {
    const from = "remoteAddress" in client ? String(client.remoteAddress) : "";
    // What comes from the address that it goes to is this machine's: the egress proxy has judged it.
    const isOwn = "localAddress" in client && client.localAddress === from;
    if (!isOwn && this.door.clients?.includes(from) === false) return refuse(client);
    const backend = this.#choose(from);
    const pod = backend?.kind === "pod" ? this.#settings.reach.local(backend.uid) : undefined;
    if (backend === undefined) refuse(client);
    else if (pod !== undefined) pod.connect(client, backend.port);
    else void this.#joinOther(client, backend);
  }

  datagramsTo(): ReturnType<PortTarget["datagramsTo"]> {
    const backend = this.#choose("");
    if (backend?.kind === "address") {
      const { address: host, port } = backend;
      return judge(host) === undefined ? datagramTarget({ host, port }) : undefined;
    }
    return backend?.kind === "pod" ? this.#settings.reach.local(backend.uid)?.datagramsTo(backend.port) : undefined;
  }

  #choose(client: string): Backend | undefined {
    const { backends, sticky } = this.door;
    const turn = sticky ? Buffer.from(client).reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7) : this.#turn++;
    return backends[turn % Math.max(1, backends.length)];
  }

  async #joinOther(client: Duplex, backend: Backend): Promise<void> {
    try {
      const other = await this.#dial(backend);
      other.on("error", () => client.destroy());
      if (client.destroyed) return void other.destroy();
      endTogether(client, other);
      endTogether(other, client);
      client.pipe(other).pipe(client);
    } catch (error) {
      this.#settings.log.debug("a backend of a Service cannot be reached", { error: describeError(error) });
      refuse(client);
    }
  }

  async #dial(backend: Backend): Promise<Duplex> {
    switch (backend.kind) {
      case "pod":
        return this.#settings.reach.remote(backend);
      case "address": {
        const reason = judge(backend.address);
        if (reason !== undefined) throw new Error(`${backend.address} is no backend: ${reason}`);
        return dialled(backend.address, backend.port);
      }
      case "platform":
        return dialled(await platformAddress(backend.host), backend.port);
      default:
        return unreachable(backend);
    }
  }
}

// A machine that does not answer: who connects is told within the patience of most clients.
const dialTimeoutMs = 5000;

function dialled(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, timeout: dialTimeoutMs });
    socket.once("timeout", () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket.setTimeout(0)));
  });
}

/** RFC 6761, 6.3: `localhost` and what is below it is this machine, whatever its resolver thinks of it. */
async function platformAddress(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  return /(^|\.)localhost$/.test(host) ? "127.0.0.1" : (await lookup(host, { family: 4 })).address;
}

/** As a port on which nothing listens would have it. */
function refuse(client: Duplex): void {
  if ("resetAndDestroy" in client) (client as Socket).resetAndDestroy();
  else client.destroy();
}
