import { access, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { Kernel } from "./kernel/kernel.ts";
import { doorRules, type PacketDoor, packetRules, packetTable, packetTablePrefix, peerRules } from "./packet-rules.ts";
import type { PeerPair } from "./peer-networks.ts";
import { gatewayOf, type Subnet } from "./subnet.ts";

export interface BridgeFilterSettings {
  readonly node: string;
  /** What the node's links are marked with. */
  readonly alias: string;
  /** A link that swallows what is sent to it, where the kernel cannot drop packets. */
  readonly sink: string;
  /** Special addresses that pods reach nevertheless. */
  readonly allowed: readonly string[];
  /** False: no rules of nft's, as if it could not be used. */
  readonly usesRules: boolean;
}

export interface FilteredBridge {
  readonly name: string;
  readonly subnet: Subnet;
}

/** IPv4 without options, TCP, no fragment. */
const plainTcp = "match u8 0x45 0xff at 0 match u8 6 0xff at 9 match u16 0 0x1fff at 6";

// Says for all nodes of this machine that it did not pass packets on before there were pods.
const forwardingRecord = "/run/shallop/forwarding";

/** What pods' packets may do: by nft(8) where it is; else by tc(8), which lets none out. */
export class BridgeFilter {
  readonly #kernel: Kernel;
  readonly #log: Log;
  readonly #settings: BridgeFilterSettings;
  #doors: readonly PacketDoor[] = [];
  #peers: readonly PeerPair[] = [];
  #isOpen = false;
  #isShut = false;
  #proxyPort: number | undefined;

  constructor(kernel: Kernel, log: Log, settings: BridgeFilterSettings) {
    this.#kernel = kernel;
    this.#log = log;
    this.#settings = settings;
  }

  /**
   * Again for a bridge of an earlier run: somebody may have removed the rules meanwhile. True when pods reach public
   * addresses; false when they reach nothing.
   */
  async open(bridge: FilteredBridge, isNew: boolean): Promise<boolean> {
    try {
      if (this.#settings.usesRules) {
        await this.#openRules(bridge);
        return true;
      }
    } catch (error) {
      if (isNew)
        this.#log.warn("nft cannot be used: native pods have no way out but a proxy", { error: describeError(error) });
    }
    if (isNew) await this.#shut(bridge);
    return false;
  }

  /** Pods reach a proxy that listens on this port of the gateway's address. @throws KernelFault */
  async letToProxy(bridge: FilteredBridge, port: number): Promise<void> {
    this.#proxyPort = port;
    if (this.#isOpen) await this.#openRules(bridge);
    // A bridge of an earlier run lets them already.
    if (!this.#isShut) return;
    const [address, dport] = [gatewayOf(bridge.subnet), `match u16 ${String(port)} 0xffff at 22`];
    const to = `match ip dst ${address}/32 ${dport}`;
    await this.#kernel.filter([
      `filter add dev ${bridge.name} ingress prio 3 protocol ip u32 ${plainTcp} ${to} classid 1:1`,
    ]);
  }

  /** Leads what pods send to Services. @throws KernelFault */
  async lead(doors: readonly PacketDoor[]): Promise<void> {
    this.#doors = doors;
    if (this.#isOpen) await this.#kernel.packetRules(doorRules(this.#settings.node, doors));
  }

  /** Lets these pods open connections to each other. @throws KernelFault */
  async join(peers: readonly PeerPair[]): Promise<void> {
    this.#peers = peers;
    if (this.#isOpen) await this.#kernel.packetRules(peerRules(this.#settings.node, peers));
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#isShut = false;
    this.#proxyPort = undefined;
    const { node } = this.#settings;
    const tables = await this.#kernel.packetTables(packetTablePrefix);
    if (tables.includes(packetTable(node))) {
      await this.#kernel.packetRules(`delete table inet ${packetTable(node)}\n`);
    }
    const others = tables.filter((name) => name !== packetTable(node));
    if (others.length > 0 || !(await isThere(forwardingRecord))) return;
    await this.#kernel.setForwards(false);
    await rm(forwardingRecord, { force: true });
  }

  /** The rules first: with them, others' packets are as little passed on as before. */
  async #openRules({ name, subnet }: FilteredBridge): Promise<void> {
    const { node, allowed } = this.#settings;
    const forwards = await this.#kernel.forwards();
    const forwardsForPods = !forwards || (await isThere(forwardingRecord));
    await this.#kernel.packetRules(
      packetRules({
        ...{ node, bridge: name, subnet, allowed, forwardsForPods, doors: this.#doors, peers: this.#peers },
        proxyPort: this.#proxyPort,
      }),
    );
    this.#isOpen = true;
    if (forwards) return;
    await mkdir(dirname(forwardingRecord), { recursive: true, mode: 0o755 });
    await writeFile(forwardingRecord, "");
    await this.#kernel.setForwards(true);
  }

  /**
   * Lets nothing through from pods to the machine but ARP and packets of connections that the machine opened: IPv4 TCP
   * with ACK or RST. Without it (a kernel without these filters) a pod can connect to what listens on the bridge's
   * address or on all addresses.
   */
  async #shut(bridge: FilteredBridge): Promise<void> {
    const base = `filter add dev ${bridge.name} ingress`;
    try {
      await this.#kernel.filter([
        `qdisc add dev ${bridge.name} clsact`,
        `${base} prio 1 protocol arp u32 match u32 0 0 classid 1:1`,
        `${base} prio 2 protocol ip u32 ${plainTcp} match u8 0x10 0x10 at 33 classid 1:1`,
        `${base} prio 2 protocol ip u32 ${plainTcp} match u8 0x04 0x04 at 33 classid 1:1`,
      ]);
      await this.#dropRest(base);
      this.#isShut = true;
    } catch (error) {
      this.#log.warn("pods can open connections to this machine: its kernel lacks a packet filter", {
        bridge: bridge.name,
        error: describeError(error),
      });
      await this.#kernel.filter([`qdisc del dev ${bridge.name} clsact`]).catch(() => undefined);
    }
  }

  async #dropRest(base: string): Promise<void> {
    const rest = `${base} prio 9 protocol all u32 match u32 0 0`;
    try {
      await this.#kernel.filter([`${rest} action drop`]);
    } catch {
      // Small kernels have no act_gact but act_mirred. A link that is down swallows what is sent to it.
      const { sink, alias } = this.#settings;
      await this.#kernel.network([`link add name ${sink} type bridge`, `link set ${sink} alias ${alias}`]);
      await this.#kernel.filter([`${rest} action mirred egress redirect dev ${sink}`]);
    }
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
