import { mkdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import {
  type ApiObject,
  apiVersionOf,
  coreServices,
  endpointSlices,
  imagePolicies,
  type NodeFeatures,
  nodes,
  pods,
  type Resource,
  revisions,
  routes,
} from "@shallop/sdk/api";
import { EventRecorder, startInformer } from "@shallop/sdk/client";
import type { RegistryEndpoint } from "@shallop/sdk/image";
import { machineIdentity } from "@shallop/sdk/internal";
import { standbyDirectoryName } from "@shallop/sdk/wire";
import { readEvidence } from "@shallop/sdk/trust";
import type { PreparedStore } from "../component/prepared-store.ts";
import { imageArchitecture } from "../image/choose.ts";
import { NodeImages } from "../image/node-images.ts";
import { LogStore } from "../pod/log-store.ts";
import { logBounds } from "../pod/pod-log.ts";
import type { PodRuntime } from "../pod/pod-runtime.ts";
import { Cells } from "../sandbox/cell/cells.ts";
import { detectFeatures } from "../sandbox/features.ts";
import { hostJail } from "../sandbox/host-jail.ts";
import { ActivationSocket } from "./activation-socket.ts";
import { AgentServer, refuseSecondAgent, type ServerIdentity } from "./agent-server.ts";
import { ImageGate } from "./image-gate.ts";
import { ImagePolicies } from "./image-policies.ts";
import { MemberClient } from "./member-client.ts";
import { joinCluster, type Membership, type MembershipSettings, storedMembership } from "./membership.ts";
import { NodeAgent, type ObjectCache } from "./node-agent.ts";
import { machineFacts, type MachineFacts } from "./node-facts.ts";
import { measured } from "./node-metrics.ts";
import { keepRegistered, NodeRegistration } from "./node-object.ts";
import { addressOf, type NodePlace, type NodeSettings } from "./node-place.ts";
import type { NodeRegistry } from "./node-registry.ts";
import { featuresOf, openRuntimes } from "./node-runtimes.ts";
import { PodRecords } from "./pod-record.ts";
import { portFault } from "./port-fault.ts";
import { imagesDirectory, openPrepared } from "./prepared.ts";
import { builtinRegistryOf, nameBuiltinRegistry, registryClient, startRegistry } from "./registry-endpoints.ts";
import { runDirectory } from "./run-directory.ts";
import { NodeServices } from "./services/node-services.ts";
import { hasPeers } from "./services/peer-pods.ts";
import { StoredEvidence } from "./stored-evidence.ts";
import { UsageMeter } from "./usage.ts";
import { VariantPreparer } from "./variant-preparer.ts";

export interface RunningNode {
  readonly facts: Readonly<Record<string, string>>;
  readonly agent: NodeAgent;
  /** With `keepPods` they run on, for the next agent on this data directory. */
  stop(options: { readonly keepPods: boolean }): Promise<void>;
}

/** An orderly stop waits this long for pods to finish; a person is waiting too. */
const stopGraceMsMax = 5_000;
/** The last word to the control plane, which may be stopping as well; or has little of the processor, and is heard all the same. */
const farewellTimeoutMs = 5_000;
/** On a small machine the first answer of a pod and its record would want the same processor. */
const recordDelayMs = 100;

/** Starts a node: what it ran before is taken over first; then it joins, serves, and begins to look at the API. */
export async function startNode(settings: NodeSettings, signal: AbortSignal): Promise<RunningNode> {
  const { clock, log } = settings;
  const directory = path.join(settings.dataDirectory, "node");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const run = await runDirectory(settings.dataDirectory, settings.runBase);
  const agentSocket = path.join(run, "agent.sock");
  const activationSocket = path.join(run, "activate.sock");
  await refuseSecondAgent(agentSocket);
  const closing = new AbortController();
  const membershipSettings = membershipOf(settings, directory);
  const stored = await storedMembership(membershipSettings);
  // While the control plane starts, look at the machine and start what needs no cluster.
  const client = new MemberClient(clock);
  const joined = Promise.resolve(stored ?? joinCluster(membershipSettings, signal));
  const [membership, machine, sandbox, jail, cells, registry] = await Promise.all([
    joined,
    machineFacts(),
    detectFeatures({ ...settings, directory: path.join(directory, "native") }),
    hostJail({ directory, clock, log }),
    Cells.open({ directory, remembersTrials: true }),
    startRegistry(settings, joined, client),
  ]);
  const features = featuresOf(sandbox, jail, cells);
  client.renew(membership);
  const hostIp = addressOf(settings.host);
  const endpoints = new Map<string, RegistryEndpoint>();
  const place = { settings, directory, membership, registry, features, machine, client, hostIp, endpoints };
  nameBuiltinRegistry(place, membership);
  const prepared = await openPrepared(directory, settings);
  const { agent, logs, events, runtimes } = await openAgent({ ...place, prepared, run }, closing.signal);
  const identity = { current: membership };
  const services = openServices({ ...place, agent, identity: () => identity.current }, closing.signal);
  const open = await openRuntimes({ ...place, run, agent, runtimes, prepared, sandbox, jail, cells, services });
  await agent.start();
  await open.warmUp();
  const { metrics, activate, exported } = await measured({ agent, runtimes, logs, ...settings });
  const meter = new UsageMeter(runtimes, agent.pods, clock);
  const server = new AgentServer({ clock, log, pods: agent.pods, logs, activate, usage: () => meter.usage(), metrics });
  await server.listenSocket(agentSocket);
  const activations = new ActivationSocket({ log, activate });
  await activations.listen(activationSocket);
  const agentPort = await server
    .listenPort(settings.host, settings.port, identityOf(membership))
    .catch(portFault("port", settings.port));
  const registration = registrationOf(place, { agentPort, agentSocket, activationSocket });
  const leaving = new AbortController();
  keepRegistered(registration, settings, leaving.signal);
  // The certificate is renewed at each start; with one from before, serving has not waited for it.
  if (stored !== undefined && settings.source !== undefined) {
    renewMembership(membershipSettings, closing.signal, (renewed) =>
      takeOver(place, server, (identity.current = renewed)),
    );
  }
  return {
    agent,
    facts: factsOf(settings, { agentPort, hostIp, registry, features, machine }),
    stop: async ({ keepPods }) => {
      // A sign of life after the last word would take that back.
      leaving.abort(new Error("the node agent is stopping"));
      if (!keepPods) await registration.farewell(AbortSignal.timeout(farewellTimeoutMs)).catch(() => undefined);
      await agent.stop({ keepPods, graceMsMax: stopGraceMsMax });
      closing.abort(new Error("the node agent is stopping"));
      await activations.close();
      await server.close();
      services[Symbol.dispose]();
      await open.close(keepPods);
      for (const close of [() => events.stop(), () => exported.close(), () => logs.close()]) await close();
      await registry?.[Symbol.asyncDispose]();
      client[Symbol.dispose]();
      // Sockets only, and nobody serves them any more.
      if (!keepPods) await rm(run, { recursive: true, force: true });
    },
  };
}

function registrationOf(
  { settings, client, machine, hostIp, features }: NodePlace,
  {
    agentPort,
    ...sockets
  }: { readonly agentPort: number; readonly agentSocket: string; readonly activationSocket: string },
): NodeRegistration {
  return new NodeRegistration(client, settings.clock, {
    ...machine,
    name: settings.name,
    hostIp,
    machine: machineIdentity(),
    agentAddress: `${hostIp.includes(":") ? `[${hostIp}]` : hostIp}:${String(agentPort)}`,
    agentPort,
    ...sockets,
    features,
  });
}

interface OpenAgent {
  readonly agent: NodeAgent;
  readonly logs: LogStore;
  readonly events: EventRecorder;
  /** Still empty: a runtime needs the agent's pods as its observer. */
  readonly runtimes: PodRuntime[];
}

/** Builds the agent and what it looks through: images, logs, events, informers. */
async function openAgent(
  place: NodePlace & { readonly prepared: PreparedStore; readonly run: string },
  signal: AbortSignal,
): Promise<OpenAgent> {
  const { settings, directory, features, machine, client, hostIp, prepared } = place;
  const { clock, log } = settings;
  const runtimes: PodRuntime[] = [];
  const registries = registryClient(place);
  const policies = await ImagePolicies.open(path.join(directory, "image-policies.json"), log);
  const gate = new ImageGate({
    policies,
    stored: new StoredEvidence(path.join(directory, "signatures"), log),
    evidence: ({ registry, repository, digest }, stop) =>
      digest === undefined ? Promise.resolve([]) : readEvidence(registries, { registry, repository, digest }, stop),
    defaultRegistry: builtinRegistryOf(place),
  });
  const images = new VariantPreparer({
    gate,
    images: await NodeImages.open({
      directory: imagesDirectory(directory),
      client: registries,
      prepared,
      privileges: settings.imagePrivileges,
      clock,
      log,
    }),
    runtimes,
    features,
    architecture: imageArchitecture(process.arch),
    defaultRegistry: builtinRegistryOf(place),
    ...(settings.prefersVariant === undefined ? {} : { prefers: settings.prefersVariant }),
    log,
    signal,
  });
  const logs = new LogStore(path.join(directory, "logs"), { bounds: logBounds, clock, log });
  await logs.load();
  const events = new EventRecorder(client, { component: "shallop-agent", host: settings.name, clock, log });
  const informer = { signal, clock, log, onChange: () => agent.wake() };
  const podInformer = startInformer(client, pods, { fieldSelector: `spec.nodeName=${settings.name}` }, informer);
  const revisionInformer = startInformer(client, revisions, {}, informer);
  const policiesChanged = (): void => {
    policies.changed();
    void agent.policiesChanged();
  };
  const watched = { ...informer, onChange: policiesChanged };
  policies.follow(startInformer(client, imagePolicies, {}, watched));
  // Ended before its first list: nobody waits for it.
  for (const { synced } of [podInformer, revisionInformer]) synced.catch(() => undefined);
  const agent = new NodeAgent({
    ...settings,
    recordDelayMs,
    node: settings.name,
    hostIp,
    client,
    pods: cacheOf(podInformer),
    revisions: cacheOf(revisionInformer),
    events: {
      emit: (about, note) => {
        const apiVersion = about.kind === "Revision" ? apiVersionOf(revisions) : "v1";
        events.event({ apiVersion, ...about }, note.type, note.reason, note.message);
      },
    },
    images,
    logs,
    records: new PodRecords(path.join(directory, "pods"), log),
    homesDirectory: path.join(directory, "revisions"),
    standbyDirectory: path.join(place.run, standbyDirectoryName),
    room: machine.room,
  });
  return { agent, logs, events, runtimes };
}

/** Services of the cluster, as pods of this node find them. */
function openServices(
  place: NodePlace & { readonly agent: NodeAgent; readonly identity: () => Membership },
  signal: AbortSignal,
): NodeServices {
  const { settings, client, agent, identity } = place;
  const { clock, random, log } = settings;
  const watch = <T extends ApiObject>(resource: Resource<T>, onChange = () => services.wake()): ObjectCache<T> => {
    const informer = startInformer(client, resource, {}, { signal, clock, log, onChange });
    informer.synced.catch(() => undefined);
    return cacheOf(informer);
  };
  agent.services = watch(coreServices);
  const services = new NodeServices({
    ...{ services: agent.services, slices: watch(endpointSlices), routes: watch(routes) },
    // Asked when somebody connects; they change with every heartbeat.
    nodes: watch(nodes, () => undefined),
    ...{ pods: agent.pods, identity, apiServer: () => identity().server, clock, random, log },
  });
  agent.podChanged = (pod) => {
    if (hasPeers(pod)) services.wake();
  };
  return services;
}

/** Everything that shows a certificate or a token shows the new one. */
function takeOver(place: NodePlace, server: AgentServer, renewed: Membership): void {
  place.client.renew(renewed);
  server.renew(identityOf(renewed));
  nameBuiltinRegistry(place, renewed);
  place.registry?.renew(renewed);
}

function renewMembership(
  settings: MembershipSettings,
  signal: AbortSignal,
  renewed: (membership: Membership) => void,
): void {
  joinCluster(settings, signal).then(renewed, (error: unknown) => {
    if (!signal.aborted) settings.log.error("the node's certificate could not be renewed", error);
  });
}

function membershipOf(settings: NodeSettings, directory: string): MembershipSettings {
  const { name, host, source, clock, log } = settings;
  const outer = settings.registry?.listen === undefined ? [] : [addressOf(settings.registry.listen.host)];
  const addresses = new Set([addressOf(host), ...outer, "127.0.0.1", hostname(), "localhost"]);
  return { file: path.join(directory, "membership.json"), node: name, addresses: [...addresses], source, clock, log };
}

const identityOf = ({ key, certificate, authority }: Membership): ServerIdentity => ({ key, certificate, authority });

const cacheOf = <T>(informer: { readonly isSynced: boolean; items(): readonly T[] }) => ({
  get synced(): boolean {
    return informer.isSynced;
  },
  list: () => informer.items(),
});

function factsOf(
  settings: NodeSettings,
  parts: {
    readonly agentPort: number;
    readonly hostIp: string;
    readonly registry: NodeRegistry | undefined;
    readonly features: NodeFeatures;
    readonly machine: MachineFacts;
  },
): Readonly<Record<string, string>> {
  const { agentPort, hostIp, registry, features, machine } = parts;
  return {
    node: settings.name,
    agent: `https://${hostIp}:${String(agentPort)}`,
    ...(registry === undefined ? {} : { registry: registry.server.url }),
    ...(registry?.outerUrl === undefined ? {} : { outside: registry.outerUrl }),
    variants: features.native ? "wasm, native" : `wasm only: ${features.nativeMissing ?? "no native pods here"}`,
    ...(features.missing.length === 0 ? {} : { missing: features.missing.join("; ") }),
    architecture: `${machine.os}/${machine.architecture}`,
  };
}
