import {
  annotation,
  type CoreService,
  type EndpointSlice,
  isServiceAddress,
  isStandInAddress,
  type Node,
  type Route,
} from "@shallop/sdk/api";
import { type Clock, describeError, type Log, type Random } from "@shallop/sdk/internal";
import type { ServiceDirectory } from "../../egress/egress-protocol.ts";
import type { ClusterNames, NameRecords } from "../../sandbox/name-answer.ts";
import { followAlias } from "../../sandbox/name-alias.ts";
import type { GuestPeer } from "../../sandbox/peer-networks.ts";
import type { PacketDoor } from "../../sandbox/packet-rules.ts";
import type { ObjectCache } from "../node-agent.ts";
import type { NodePods } from "../node-pods.ts";
import { peersOf } from "./peer-pods.ts";
import { peerEntries, peerTable } from "./peer-table.ts";
import { type RemoteIdentity, RemotePods } from "./remote-pods.ts";
import type { BoundSocket } from "../ports/host-ports.ts";
import { type OpenDoor, ServiceDoors, type ServiceDoorsSettings } from "./service-doors.ts";
import { type PlatformEnd, serviceTable } from "./service-table.ts";
import { StandIns } from "./stand-ins.ts";

/** The network of this node's native pods, as far as Services need it. */
export interface PodServices {
  /** Where pods reach this machine; undefined: there are none, or they reach nothing. */
  readonly gateway: string | undefined;
  /** What pods send to these addresses goes to ports of the gateway's. */
  leadServices(doors: readonly PacketDoor[]): Promise<void>;
  /** Its network is another than the machine's: components do not reach what pods do. */
  readonly isApart: boolean;
  readonly boundSocket: BoundSocket;
  /** What its pods find by the node's proxy, where they go out by one. */
  leadProxy(directory: ServiceDirectory): void;
  /** Components that share networks with its pods. */
  meetGuests(guests: readonly GuestPeer[]): void;
}

export interface NodeServicesSettings {
  readonly services: ObjectCache<CoreService>;
  readonly slices: ObjectCache<EndpointSlice>;
  readonly routes: ObjectCache<Route>;
  readonly nodes: ObjectCache<Node>;
  readonly pods: Pick<NodePods, "byUid" | "all">;
  readonly identity: () => RemoteIdentity;
  /** URL of the API server, as this node reaches it. */
  readonly apiServer: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Many changes come at once: a rollout, a burst. */
const settleMs = 50;
/** What could not be done is tried again this soon. */
const retryMs = 2000;
/** Without native pods a node's doors are for its components alone. */
const loopback = "127.0.0.1";

/** Services on this node: their names, their addresses, and what is behind them. */
export class NodeServices implements ClusterNames, Disposable {
  readonly #settings: NodeServicesSettings;
  readonly #doors: ServiceDoors;
  readonly #guestDoors: ServiceDoors;
  readonly #remote: RemotePods;
  readonly #standIns = new StandIns();
  #native: PodServices | undefined;
  #tellGuests: ((directory: ServiceDirectory) => void) | undefined;
  #names: ReadonlyMap<string, NameRecords> = new Map();
  /** What was led last: most changes change no address. */
  #led = "";
  #isDue = false;
  #isBusy = false;
  #closed = false;

  constructor(settings: NodeServicesSettings) {
    this.#settings = settings;
    const { pods, nodes, clock, random, log } = settings;
    this.#remote = new RemotePods(
      settings.identity,
      (node) =>
        nodes.list().find(({ metadata }) => metadata.name === node)?.metadata.annotations?.[annotation.agentAddress],
    );
    const reach: ServiceDoorsSettings["reach"] = {
      local: (uid) => pods.byUid(uid)?.ports,
      remote: (pod) => this.#remote.dial(pod),
    };
    this.#doors = new ServiceDoors({ reach, clock, random, log });
    this.#guestDoors = new ServiceDoors({ reach, clock, random, log });
  }

  /** Who is told: the network of native pods, if there are any, and the way out of components. */
  tell(native: PodServices | undefined, guests: (directory: ServiceDirectory) => void): void {
    this.#native = native;
    this.#tellGuests = guests;
    this.wake();
  }

  recordsOf(name: string): NameRecords | undefined {
    return this.#names.get(name);
  }

  /** Something may have changed. */
  wake(): void {
    if (this.#isDue || this.#closed) return;
    this.#isDue = true;
    this.#settings.clock.after(settleMs, () => void this.#look());
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#doors[Symbol.dispose]();
    this.#guestDoors[Symbol.dispose]();
    this.#remote[Symbol.dispose]();
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#settings;
    // One at a time; what comes meanwhile is looked at after.
    if (this.#isBusy) return void clock.after(settleMs, () => void this.#look());
    this.#isBusy = true;
    this.#isDue = false;
    try {
      await this.#apply();
    } catch (error) {
      log.warn("Services do not lead where they should", { error: describeError(error) });
      if (!this.#closed) clock.after(retryMs, () => this.wake());
    } finally {
      this.#isBusy = false;
    }
  }

  async #apply(): Promise<void> {
    const { services, slices, routes, pods } = this.#settings;
    if (this.#closed || !services.synced || !slices.synced || !routes.synced) return;
    const table = serviceTable({
      ...{ services: services.list(), slices: slices.list(), routes: routes.list() },
      apiServer: endOf(this.#settings.apiServer()),
      ownAddress: (uid) => pods.byUid(uid)?.run?.ip,
      standIn: (key) => this.#standIns.of(key),
    });
    const native = this.#native;
    // Components do not reach what native pods do when those are in another network than the machine's.
    const all = peersOf(pods.all);
    const standIn = (key: string): string => this.#standIns.of(key);
    const peers = peerTable(
      all.filter(({ ip }) => ip === undefined || native?.isApart !== true),
      standIn,
    );
    const doors = [...table.doors, ...peers.doors];
    const host = native?.gateway ?? loopback;
    const isApart = native?.isApart === true && host !== loopback;
    const boundSocket: BoundSocket = async (where) => (isApart ? native.boundSocket(where) : undefined);
    const packets = packetDoors(host, await this.#doors.open(host, doors, boundSocket));
    const ofGuests = isApart ? packetDoors(loopback, await this.#guestDoors.open(loopback, doors)) : packets;
    // A name is told when its address leads somewhere.
    const text = JSON.stringify(packets);
    if (host !== loopback && text !== this.#led) await this.#native?.leadServices(packets);
    this.#led = text;
    this.#names = table.names;
    native?.meetGuests(peers.guests);
    const directory = {
      ...this.#guestNames(table.names),
      peers: peers.entries,
      doors: ofGuests.flatMap((door) =>
        door.protocol === "TCP" ? [{ ...door, address: this.#forGuests(door.address) }] : [],
      ),
    };
    this.#tellGuests?.(directory);
    native?.leadProxy({ ...directory, peers: peerEntries(all, standIn) });
    this.#standIns.endRound();
  }

  /** Aliases that end in the cluster are told as what they lead to, so that nobody has to follow them again. */
  #guestNames(names: ReadonlyMap<string, NameRecords>): Pick<ServiceDirectory, "names" | "aliases"> {
    const found = [...names.keys()].map((name) => [name, followAlias(name, (one) => names.get(one))] as const);
    return {
      names: found.flatMap(([name, end]) =>
        end.kind === "own" && end.records.addresses.length > 0
          ? [[name, end.records.addresses.map((address) => this.#forGuests(address))] as const]
          : [],
      ),
      aliases: found.flatMap(([name, end]) => (end.kind === "outside" ? [[name, end.name] as const] : [])),
    };
  }

  /** Components reach no private address, and so no pod by its own. */
  #forGuests(address: string): string {
    return isServiceAddress(address) || isStandInAddress(address) ? address : this.#standIns.of(`guests ${address}`);
  }
}

const packetDoors = (host: string, open: readonly OpenDoor[]): readonly PacketDoor[] =>
  open.map(({ door: { protocol, address, port }, listening }) => ({
    ...{ protocol, address, port },
    to: { address: host, port: listening },
  }));

/** Host and port of an https URL. */
function endOf(url: string): PlatformEnd {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 443 : Number(port) };
}
