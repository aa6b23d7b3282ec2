import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError, type Log, type Random, SingleFlight } from "@shallop/sdk/internal";
import type { ServiceDirectory } from "../egress/egress-protocol.ts";
import { HttpProxy, type ProxiedPod } from "../egress/http-proxy.ts";
import { PodFault } from "../pod/pod-runtime.ts";
import { BridgeFilter } from "./bridge-filter.ts";
import { IpClaims } from "./ip-claims.ts";
import type { Kernel, Link } from "./kernel/kernel.ts";
import type { ClusterNames } from "./name-answer.ts";
import { NameForwarder } from "./name-forwarder.ts";
import type { PacketDoor } from "./packet-rules.ts";
import { type GuestPeer, type Membership, PeerNetworks } from "./peer-networks.ts";
import { linkNameLength, linkPrefix, netnsPrefix, type PodNames, spareHolder } from "./pod-files.ts";
import { formatSubnet, freeSubnets, gatewayOf, parseSubnet, type Subnet } from "./subnet.ts";

export interface NetworkSettings {
  /** Directory of the node's native state. */
  readonly directory: string;
  readonly node: string;
  /** Where nodes of this machine take their subnets from, `10.88.0.0/16`. */
  readonly range: string;
  /** Special addresses that pods reach nevertheless; public ones they reach anyway. */
  readonly allowed: readonly string[];
  /** Networks that are made before there is a pod for them; 0: none. */
  readonly sparesMax: number;
  /** The node is an ordinary user's, and its network not the machine's. */
  readonly isApart: boolean;
  /** By which its pods are then reached. */
  readonly gate?: string | undefined;
  /** Pods go out by the node's proxy alone, whatever else there is. */
  readonly proxyAlone: boolean;
  /** What pods find by names of the cluster. */
  readonly clusterNames?: ClusterNames | undefined;
  /** The bridge is there: its gateway has an address. */
  readonly opened?: (() => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

interface Bridge {
  readonly name: string;
  readonly subnet: Subnet;
  /** Pods reach public addresses. */
  readonly hasEgress: boolean;
}

/**
 * The node's bridge and its pods' links. Only the node opens connections to a pod, and its port on the bridge is isolated
 * from the other pods' ports. What a pod may reach the filter says: public addresses, or nothing.
 */
export class PodNetwork {
  readonly #kernel: Kernel;
  readonly #log: Log;
  readonly #settings: NetworkSettings;
  readonly #claims: IpClaims;
  readonly #filter: BridgeFilter;
  readonly #peers = new PeerNetworks();
  #applying: Promise<unknown> = Promise.resolve();
  readonly #opening = new SingleFlight<"bridge", Bridge>();
  /** Addresses whose network is made, and no pod has. */
  readonly #spares: string[] = [];
  #refilling: Promise<void> | undefined;
  #sparesMade = 0;
  /** Nothing more is made ahead. */
  #paused = false;
  #bridge: Bridge | undefined;
  #names: NameForwarder | undefined;
  #proxy: HttpProxy | undefined;
  #services: ServiceDirectory | undefined;
  /** Of pods, by address. */
  readonly #pods = new Map<string, ProxiedPod>();

  constructor(kernel: Kernel, log: Log, settings: NetworkSettings) {
    this.#kernel = kernel;
    this.#log = log;
    this.#settings = settings;
    this.#claims = new IpClaims(join(settings.directory, "ip"));
    const { node, allowed, proxyAlone } = settings;
    const links = { alias: this.#alias(), sink: sinkBridge(node) };
    this.#filter = new BridgeFilter(kernel, log, { node, ...links, allowed, usesRules: !proxyAlone });
  }

  /** Makes the bridge, or finds the one of an earlier run. */
  async open(): Promise<void> {
    await this.#openBridge();
    this.#refill();
  }

  /** Of a pod with this address. */
  namespacePath(address: string): string {
    return `/run/netns/${this.#namespaceOf(address)}`;
  }

  /** What pods ask for names; undefined: nobody would answer. */
  get nameServer(): string | undefined {
    return this.#names === undefined || this.#bridge === undefined ? undefined : gatewayOf(this.#bridge.subnet);
  }

  /** URL of the HTTP proxy by which pods go out; undefined: they need none, or there is none. */
  get proxy(): string | undefined {
    if (this.#proxy === undefined || this.#bridge === undefined) return undefined;
    return `http://${gatewayOf(this.#bridge.subnet)}:${String(proxyPort)}`;
  }

  /** What of the cluster's Services pods find by the proxy. */
  leadProxy(directory: ServiceDirectory): void {
    this.#services = directory;
    this.#proxy?.lead(directory);
  }

  /** The machine's own search list. */
  get searches(): readonly string[] {
    return this.#names?.searches ?? [];
  }

  /** Where pods reach this machine; undefined: not at all, or not yet. */
  get gateway(): string | undefined {
    return this.#bridge?.hasEgress === true ? gatewayOf(this.#bridge.subnet) : undefined;
  }

  /** It is another network than the machine's. */
  get isApart(): boolean {
    return this.#settings.isApart;
  }

  /** As the kernel's: for who listens where pods reach him. */
  boundSocket(address: Parameters<Kernel["boundSocket"]>[0]): ReturnType<Kernel["boundSocket"]> {
    return this.#kernel.boundSocket(address);
  }

  /** What pods send to these addresses goes to ports of the gateway's. @throws KernelFault */
  leadServices(doors: readonly PacketDoor[]): Promise<void> {
    return this.#filter.lead(doors);
  }

  /** Puts a pod into networks that it shares with others. @throws PodFault NO_CAPACITY */
  async join(address: string, memberships: readonly Membership[]): Promise<void> {
    if (memberships.length === 0) return this.leave(address);
    if (!this.#peers.join(address, memberships))
      throw new PodFault("NO_CAPACITY", "the networks of this node's pods have no room for more", { retryable: true });
    await this.#applyPeers();
  }

  /** Components of this node that share networks with its pods. */
  meetGuests(guests: readonly GuestPeer[]): void {
    this.#peers.guests = guests;
  }

  async leave(address: string): Promise<void> {
    if (this.#peers.leave(address)) await this.#applyPeers();
  }

  /** One after the other: the last one knows all. */
  #applyPeers(): Promise<void> {
    const applied = this.#applying.then(() => this.#filter.join(this.#peers.pairs()));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  /** Whose address it is: the proxy knows a pod by it, and leads it to its namespace's Services and its networks' peers. */
  belongs(address: string, { namespace, uid }: ProxiedPod): void {
    this.#pods.set(address, { namespace, uid });
  }

  /** Gives the pod an address. @throws PodFault NO_CAPACITY */
  async claim(names: PodNames): Promise<string> {
    const { subnet } = await this.#openBridge();
    const [own] = await this.#claims.addressesOf(names.key);
    if (own !== undefined) return own;
    const spare = this.#spares.shift();
    if (spare !== undefined) {
      await this.#claims.hand(spare, names.key);
      return spare;
    }
    const address = await this.#claims.claim(subnet, names.key);
    if (address !== undefined) return address;
    throw new PodFault("NO_CAPACITY", `all addresses of ${formatSubnet(subnet)} are in use by pods of this node`, {
      retryable: true,
    });
  }

  async release(names: PodNames): Promise<void> {
    for (const address of await this.#claims.addressesOf(names.key)) {
      this.#pods.delete(address);
      await this.leave(address);
    }
    await this.#claims.release(names.key);
  }

  /** Makes the network namespace of an address with its link to the bridge, unless it is there already. */
  async connect(address: string): Promise<void> {
    if ((await this.#kernel.networkNamespaces()).includes(this.#namespaceOf(address))) return;
    await this.#connect(address);
  }

  async #connect(address: string): Promise<void> {
    const { name, subnet, hasEgress } = await this.#openBridge();
    const gateway = gatewayOf(subnet);
    const [namespace, link] = [this.#namespaceOf(address), this.#linkOf(address)];
    await this.#kernel.network([
      `netns add ${namespace}`,
      `link add ${link} type veth peer name eth0 netns ${namespace}`,
      `link set ${link} master ${name} addrgenmode none`,
      `link set ${link} type bridge_slave isolated on`,
      `link set ${link} up`,
    ]);
    await this.#kernel.network(
      [
        "link set lo up",
        `address add ${address}/32 dev eth0`,
        `link set eth0 addrgenmode none address ${hardwareAddressOf(address)}`,
        "link set eth0 up",
        `route add ${gateway}/32 dev eth0 scope link`,
        ...(hasEgress ? [`route add default via ${gateway} dev eth0`] : []),
      ],
      namespace,
    );
  }

  /** Takes the pod's link away: it has its loopback, and nothing else. */
  async isolate(address: string): Promise<void> {
    await this.#kernel.network(["link delete eth0"], this.#namespaceOf(address));
  }

  /** Removes what connect made, as far as it is there. */
  async disconnect(names: PodNames): Promise<void> {
    const addresses = await this.#claims.addressesOf(names.key);
    if (addresses.length > 0) await this.#removeNetworks((address) => addresses.includes(address));
    // Not before: what takes its place is made of the same parts.
    this.#refill();
  }

  /** Removes links, namespaces and claims of this node's pods that are not `living`. */
  async sweep(living: ReadonlySet<string>): Promise<void> {
    await this.#settled();
    const dead = [...(await this.#claims.all())].filter(
      ([address, holder]) => !living.has(holder) && !this.#spares.includes(address),
    );
    const lives = new Set(
      [...(await this.#claims.all()).keys()].filter((address) => !dead.some(([other]) => other === address)),
    );
    await this.#removeNetworks((address) => !lives.has(address));
    for (const holder of new Set(dead.map(([, name]) => name))) await this.#claims.release(holder);
  }

  /** Removes networks of this node by their addresses, in as far as they are there. */
  async #removeNetworks(isDead: (address: string) => boolean): Promise<void> {
    const { node } = this.#settings;
    const [links, namespaces] = await Promise.all([this.#kernel.links(), this.#kernel.networkNamespaces()]);
    const deadLinks = links
      .map((link) => link.name)
      .filter((name) => name.length === linkNameLength && name.startsWith(linkPrefix(node)))
      .filter((name) => isDead(addressIn(name)));
    const deadNamespaces = namespaces.filter((name) => name.startsWith(netnsPrefix(node)) && isDead(addressIn(name)));
    const commands = [
      // The links first: they are gone at once then, instead of when the kernel gets round to the namespace.
      ...deadLinks.map((name) => `link delete ${name}`),
      ...deadNamespaces.map((name) => `netns delete ${name}`),
    ];
    if (commands.length > 0) await this.#kernel.network(commands);
  }

  /** Makes spare networks, one after the other, while nobody waits. */
  #refill(): void {
    if (this.#paused || this.#bridge === undefined) return;
    this.#refilling ??= this.#makeSpares()
      .catch((error: unknown) => this.#log.warn("no network could be made ahead", { error: describeError(error) }))
      .finally(() => (this.#refilling = undefined));
  }

  async #makeSpares(): Promise<void> {
    while (!this.#paused && this.#bridge !== undefined && this.#spares.length < this.#settings.sparesMax) {
      const holder = `${spareHolder}${++this.#sparesMade}`;
      const address = await this.#claims.claim(this.#bridge.subnet, holder);
      if (address === undefined) return;
      try {
        await this.connect(address);
      } catch (error) {
        await this.#removeNetworks((other) => other === address);
        await this.#claims.release(holder);
        throw error;
      }
      this.#spares.push(address);
    }
  }

  async #settled(): Promise<void> {
    await this.#refilling;
  }

  readonly #namespaceOf = (address: string): string =>
    `${netnsPrefix(this.#settings.node)}${hexOf(address).padStart(16, "0")}`;
  readonly #linkOf = (address: string): string => `${linkPrefix(this.#settings.node)}${hexOf(address)}`;

  /** Removes the bridge, and what says which one it was. Only when there are no pods. */
  async close(): Promise<void> {
    this.#paused = true;
    await this.#stopListening();
    await this.#settled();
    this.#spares.length = 0;
    await this.sweep(new Set());
    await this.#filter.close();
    const own = (await this.#kernel.links()).filter((link) => this.#isOwn(link));
    if (own.length > 0) await this.#kernel.network(own.map((link) => `link delete ${link.name}`));
    await rm(this.#recordPath(), { force: true });
    this.#bridge = undefined;
    this.#paused = false;
  }

  /** Lets go of the bridge, which stays with the networks of pods. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#paused = true;
    await this.#settled();
    await this.#stopListening();
  }

  /** What listens for pods. */
  async #stopListening(): Promise<void> {
    await this.#names?.[Symbol.asyncDispose]();
    this.#names = undefined;
    await this.#proxy?.[Symbol.asyncDispose]();
    this.#proxy = undefined;
  }

  async #openBridge(): Promise<Bridge> {
    if (this.#bridge !== undefined) return this.#bridge;
    return this.#opening.run("bridge", async () => {
      const bridge = await this.#findOrMakeBridge();
      if (bridge.hasEgress) await this.#openNames(bridge);
      // Rules alone lead nowhere from a network that nothing connects with the machine's.
      if (!bridge.hasEgress || this.isApart) await this.#openProxy(bridge);
      this.#bridge = bridge;
      this.#settings.opened?.();
      return bridge;
    });
  }

  async #openNames({ subnet }: Bridge): Promise<void> {
    const { clock, random, clusterNames } = this.#settings;
    const names = clusterNames === undefined ? {} : { clusterNames };
    try {
      this.#names ??= await NameForwarder.open({
        ...{ address: gatewayOf(subnet), clock, random, ...names },
        peerNames: this.#peers,
        boundSocket: (wanted) => this.boundSocket(wanted),
      });
    } catch (error) {
      this.#log.warn("native pods have no names: somebody else listens for questions on every address", {
        error: describeError(error),
      });
    }
  }

  /** Fails closed: who has no proxy reaches nothing. */
  async #openProxy(bridge: Bridge): Promise<void> {
    const { allowed, clock, gate } = this.#settings;
    const podOf = (own: string): ProxiedPod | undefined => this.#pods.get(own);
    const [address, port] = [gatewayOf(bridge.subnet), proxyPort];
    try {
      const fd = await this.#kernel.boundSocket({ protocol: "TCP", address, port });
      const where = fd === undefined ? { host: address, port } : { fd };
      this.#proxy ??= await HttpProxy.open({ allowed, podOf, gate, clock }, where);
      if (this.#services !== undefined) this.#proxy.lead(this.#services);
      // Only now: whoever else might listen there is none of the pods' business.
      await this.#filter.letToProxy(bridge, port);
    } catch (error) {
      this.#log.warn("native pods have no way out: their proxy cannot listen", { error: describeError(error) });
    }
  }

  /** The record is written last: without it, or with another one, what is there of ours was left half made. */
  async #findOrMakeBridge(): Promise<Bridge> {
    const links = await this.#kernel.links();
    const own = links.filter((link) => this.#isOwn(link)).map((link) => link.name);
    const recorded = await this.#recorded();
    if (recorded !== undefined && own.includes(recorded.name)) {
      await this.#kernel.network([hardwareOf(recorded)]);
      return { ...recorded, hasEgress: await this.#filter.open(recorded, false) };
    }
    if (own.length > 0) await this.#kernel.network(own.map((name) => `link delete ${name}`));
    const bridge = await this.#makeBridge();
    const path = this.#recordPath();
    await writeFile(`${path}.new`, formatSubnet(bridge.subnet));
    await rename(`${path}.new`, path);
    return bridge;
  }

  async #makeBridge(): Promise<Bridge> {
    const { range: text, node } = this.#settings;
    const range = parseSubnet(text);
    if (range === undefined || range.prefixLength > 29) {
      throw new PodFault(
        "UNSUPPORTED",
        `the pods' address range ${JSON.stringify(text)} is no IPv4 subnet of at least eight addresses such as 10.88.0.0/16`,
      );
    }
    const taken = (await this.#kernel.routedSubnets()).flatMap((routed) => parseSubnet(routed) ?? []);
    const nameless = namelessBridge(node);
    await this.#kernel.network([
      `link add name ${nameless} type bridge`,
      `link set ${nameless} alias ${this.#alias()} addrgenmode none`,
    ]);
    for (const subnet of freeSubnets(range, taken)) {
      const bridge = { name: bridgeName(subnet), subnet };
      if (!(await this.#rename(nameless, bridge.name))) continue;
      const hasEgress = await this.#filter.open(bridge, true);
      await this.#kernel.network([
        hardwareOf(bridge),
        `address add ${gatewayOf(subnet)}/${subnet.prefixLength} dev ${bridge.name}`,
        `link set ${bridge.name} up`,
      ]);
      return { ...bridge, hasEgress };
    }
    await this.#kernel.network([`link delete ${nameless}`]);
    throw new PodFault(
      "UNSUPPORTED",
      `no subnet of ${text} is free for this node's pods: all overlap routes of this machine; choose another range`,
    );
  }

  /** Two nodes that choose a subnet at once choose the same; the kernel lets one of them have its name. */
  async #rename(from: string, to: string): Promise<boolean> {
    try {
      await this.#kernel.network([`link set ${from} name ${to}`]);
      return true;
    } catch (error) {
      if (describeError(error).includes("File exists")) return false;
      throw error;
    }
  }

  async #recorded(): Promise<Omit<Bridge, "hasEgress"> | undefined> {
    const subnet = parseSubnet(await readFile(this.#recordPath(), "utf8").catch(() => ""));
    return subnet === undefined ? undefined : { name: bridgeName(subnet), subnet };
  }

  #isOwn(link: Link): boolean {
    const { node } = this.#settings;
    return link.alias === this.#alias() || link.name === namelessBridge(node) || link.name === sinkBridge(node);
  }

  readonly #recordPath = (): string => join(this.#settings.directory, "subnet");
  readonly #alias = (): string => `shallop-node-${this.#settings.node}`;
}

/** Where proxies are found by habit (squid). It is in pods' environments, and so the same for every agent. */
const proxyPort = 3128;

/** `10.88.0.2` is 0a580002, in the names of what an address has: links and namespaces. */
const hexOf = (address: string): string =>
  address
    .split(".")
    .map((byte) => Number(byte).toString(16).padStart(2, "0"))
    .join("");

/**
 * The hardware address of who has an IPv4 address. A bridge takes the lowest one of its ports unless it has its own, and would
 * change it when pods come and go; and a new pod may have the address of one that has just gone. Whoever remembers where an
 * address is (ARP) would speak to nobody for seconds.
 */
const hardwareAddressOf = (address: string): string => `0a:58:${(hexOf(address).match(/../g) ?? []).join(":")}`;

const addressIn = (name: string): string =>
  [-8, -6, -4, -2].map((from) => Number.parseInt(name.slice(from, from + 2 || undefined), 16)).join(".");

const hardwareOf = ({ name, subnet }: Pick<Bridge, "name" | "subnet">): string =>
  `link set ${name} address ${hardwareAddressOf(gatewayOf(subnet))}`;

/** Named after the subnet, so that a name stands for the right to it: `shp0a580400` is 10.88.4.0. */
const bridgeName = (subnet: Subnet): string => `shp${subnet.first.toString(16).padStart(8, "0")}`;

/** Names of links that only this node can have made. Shorter than those of pods' links, which begin alike. */
const namelessBridge = (node: string): string => `sb${node}`;
const sinkBridge = (node: string): string => `sx${node}`;
