import { parseArgs } from "node:util";
import { httpsClient, postLoadReport, postStories, postTraces, readCredentials } from "@shallop/sdk/client";
import {
  aborted,
  announceReady,
  describeError,
  jsonLog,
  keepSocket,
  keptSockets,
  keptSocketsVariable,
  machineIdentity,
  replaceOnHangup,
  Retired,
  stopSignal,
  systemClock as clock,
  systemRandom as random,
} from "@shallop/sdk/internal";
import type { Server } from "node:net";
import { AgentClient } from "./activate/agent-client.ts";
import { Gateway } from "./gateway.ts";
import { practise } from "./practice.ts";
import { PeerClient } from "./peer/peer-client.ts";
import { peerBodyBytesMax, PeerServer } from "./peer/peer-server.ts";
import { reachableAddress } from "./peer/reachable-address.ts";
import type { AgentTls } from "./proxy/dial.ts";
import { StatusServer } from "./listen/status-server.ts";
import { readSettings, type Settings, settingOptions } from "./settings.ts";
import { StateFile } from "./state-file.ts";
import { openTelemetry } from "./telemetry.ts";
import { watchCluster } from "./watch-cluster.ts";

// How long the supervisor waits for routes before it is told that the gateway answers, if only with 503.
const readyWithinMs = 2_000;

async function main(): Promise<void> {
  const stop = stopSignal();
  const log = jsonLog("gateway", (line) => process.stderr.write(line));
  const settings = readSettings(parseArgs({ options: settingOptions }).values);
  const credentials = await readCredentials(settings.credentials);
  const client = httpsClient(credentials, { clock, random, name: "shallop-gateway" });
  const { authority: ca, certificate: cert, key } = credentials;
  const tls = ca === undefined || cert === undefined || key === undefined ? undefined : { ca, cert, key };
  const machine = machineIdentity();
  const agents = new AgentClient({ clock, machine, tls });
  const peerClient = tls === undefined ? undefined : new PeerClient(tls);
  const telemetry = await openTelemetry({
    ...{ settings, environment: process.env, clock, random, log },
    sendTraces: (traces, signal) => postTraces(client, traces, signal),
  });
  const gateway = new Gateway({
    clock,
    random,
    log,
    limits: settings.limits,
    serverTiming: settings.serverTiming,
    domain: settings.domain,
    machine,
    tls,
    httpsPublicPort: settings.httpsPublicPort,
    defaultCertificate: settings.defaultCertificate,
    trustedProxies: settings.trustedProxies,
    agents,
    metrics: telemetry.measured,
    tracer: telemetry.tracer,
    watchers: telemetry.watchers,
    tellAbandoned: (node, podUid, requestIds) => void agents.abandoned(node, podUid, requestIds),
    sendStories: (stories, signal) => postStories(client, stories, signal),
    sendReport: (report, signal) => postLoadReport(client, report, signal),
    sendToPeer: async (address, messages, signal) => peerClient?.send(address, messages, signal),
  });
  const { cluster } = gateway;
  const state = settings.state === undefined ? undefined : new StateFile(cluster, { file: settings.state, clock, log });
  await state?.load();
  const status = new StatusServer(() => gateway.status(), telemetry.metrics);
  const port = await listen(settings, gateway, status);
  const peerServer = tls === undefined ? undefined : await listenToPeers(settings, gateway, tls);
  const watching = new AbortController();
  // The file is the next process's once that has taken over.
  const changed = (): void => (stop.aborted ? undefined : state?.changed());
  const synced = watchCluster(cluster, { client, clock, random, log, signal: watching.signal, changed });
  await Promise.race([synced.catch(() => undefined), clock.sleep(readyWithinMs, stop).catch(() => undefined)]);
  const url = `http://${settings.host.includes(":") ? `[${settings.host}]` : settings.host}:${port}`;
  log.info("serving", { url, hosts: cluster.router.size, complete: cluster.complete });
  // Who hears that it is ready may send the signal at once.
  replaceOnHangup();
  announceReady({ url });
  const { limits, serverTiming } = settings;
  const isBusy = (): boolean => stop.aborted || gateway.load.open > 0;
  // One that fails costs the first requests some milliseconds, nothing else.
  practise({ clock, random, limits, serverTiming, isBusy }).catch(() => undefined);
  await aborted(stop);
  log.info("stopping");
  await gateway.close(stop.reason instanceof Retired);
  await telemetry.close();
  watching.abort();
  await state?.close();
  status.close();
  agents.close();
  peerServer?.close();
  peerClient?.close();
  client.close();
}

/** Takes the sockets that were kept for this process, or makes them and has them kept. @returns the port of HTTP */
async function listen(settings: Settings, gateway: Gateway, status: StatusServer): Promise<number> {
  const { host, httpsPort, statusPort } = settings;
  const sockets = keptSockets(process.env[keptSocketsVariable]);
  const kept = (name: string) => ({ fd: sockets.get(name), keep: (server: Server) => keepSocket(name, server) });
  const { port } = await gateway.listen({ host, port: settings.port, kept: kept("http") });
  if (httpsPort !== undefined) await gateway.listenTls({ host, port: httpsPort, kept: kept("https") });
  if (statusPort !== undefined) await status.listen(statusPort, kept("status"));
  return port;
}

/** Its port is its own, and each process's another, unless it is told: the others hear of it. */
async function listenToPeers(
  { host, peerPort, peerAddress, limits }: Settings,
  gateway: Gateway,
  tls: AgentTls,
): Promise<PeerServer> {
  const bodyBytesMax = peerBodyBytesMax(limits.webSocketMessageBytesMax);
  const server = new PeerServer({ tls, bodyBytesMax, hear: (message) => gateway.hearPeer(message) });
  const port = await server.listen(host, peerPort);
  gateway.announcePeerAddress(`${peerAddress ?? reachableAddress(host)}:${port}`);
  return server;
}

/** The channel to the supervisor would keep the process. */
function letGo(): void {
  if (process.connected) process.disconnect?.();
}

main().then(letGo, (error: unknown) => {
  process.stderr.write(`gateway: ${describeError(error)}\n`);
  process.exitCode = 1;
  letGo();
});
