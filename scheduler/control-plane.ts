import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ApiClient } from "@shallop/sdk/client";
import { DockerCredentials, RegistryClient, type RegistryEndpoint, registrySecret } from "@shallop/sdk/image";
import { Metrics, addProcessMetrics, startExport, type TelemetrySettings } from "@shallop/sdk/internal/telemetry";
import { type ProcessLog, systemClock as clock, systemRandom as random } from "@shallop/sdk/internal";
import { AgentLink } from "./api/agent-link.ts";
import { createApi } from "./api/api.ts";
import { keptFile } from "./api/pki/private-file.ts";
import { inProcessClient } from "./api/client.ts";
import { type ClusterMaterial, ensureClusterMaterial } from "./api/pki/cluster-material.ts";
import { nodeUsages } from "./api/node-usage.ts";
import { createApiServer } from "./api/server.ts";
import { controllersUser } from "./api/user.ts";
import { IdleBook } from "./autoscale/idle-book.ts";
import { IdleFile } from "./controllers/autoscaler/idle-file.ts";
import { AcmeIssuer, newAccountKey } from "./controllers/certificate/acme-issuer.ts";
import type { Issuers } from "./controllers/certificate/issuer.ts";
import { InternalIssuer } from "./controllers/certificate/internal-issuer.ts";
import { SecretChallenges } from "./controllers/certificate/secret-challenges.ts";
import type { ApiServerEnd } from "./controllers/api-service/plan.ts";
import { Controllers } from "./controllers/controllers.ts";
import { RegistryImageResolver } from "./controllers/revision/registry-image-resolver.ts";
import { RegistryKnowledge } from "./controllers/revision/registry-knowledge.ts";
import type { Addresses } from "./controllers/shared/addresses.ts";
import { readSettings, type Settings, type SettingValues } from "./settings.ts";
import type { Store } from "./store/store.ts";
import { measuredStore } from "./store/measured-store.ts";
import { compactRegularly } from "./store/compaction.ts";
import { SqliteStore } from "./store/sqlite-store.ts";

/** A control plane that serves. */
export interface ControlPlane extends AsyncDisposable {
  /** What is reachable where, for the supervisor. */
  readonly facts: Readonly<Record<string, string>>;
}

/**
 * Wires store, API, controllers and autoscaler together, and starts them. Closes what it has opened when one of them
 * cannot be. @throws Error of a setting, StoreFault IN_USE …, AuthorityFault, ApiServerFault
 */
export async function startControlPlane(
  values: SettingValues,
  {
    log,
    dockerConfig,
    telemetry,
  }: { readonly log: ProcessLog; readonly dockerConfig: string | undefined; readonly telemetry: TelemetrySettings },
): Promise<ControlPlane> {
  const settings = readSettings(values);
  const { dataDir, host, port, registry } = settings;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await using opened = new AsyncDisposableStack();
  // The first thing that is opened: it is also the lock that keeps a second process off the directory.
  const { store, metrics } = await openStore(opened, settings, { log, telemetry });
  const validation = settings.autoscaler;
  const api = await createApi({ store, clock, random, log, validation, builtinRegistry: registry.host });
  const { registrySecretFile } = settings;
  const builtin: RegistryEndpoint = {
    url: registry.url,
    ...(registrySecretFile === undefined ? {} : { token: await registrySecret(registrySecretFile, random) }),
  };
  const registries = opened.use(registryClient(settings, builtin, dockerConfig));
  const idleTimes = new IdleBook();
  opened.use(await IdleFile.open(idleTimes, { file: join(dataDir, "idle-times.json"), clock, log }));
  const material = await ensureClusterMaterial({ dataDir, advertise: settings.advertise, clock, random });
  const client = inProcessClient(api, controllersUser);
  const link = opened.use(new AgentLink({ authority: material.authority.certificate, ...material.controlPlane }));
  const addresses = addressesOf(settings);
  const controllers = opened.use(
    new Controllers({
      client,
      clock,
      random,
      log,
      images: new RegistryImageResolver(registries, registry.host, settings.registryAliases),
      imageKnowledge: new RegistryKnowledge(registries),
      addresses,
      apiServer: (): ApiServerEnd => ({ host: addresses.gatewayHost, port: portOf(server.url) }),
      autoscaler: settings.autoscaler,
      idleTimes,
      askNodes: (nodes, signal) => nodeUsages(link, nodes, signal),
      nodePatience: settings.nodePatience,
      issuers: await issuersOf(settings, material, client),
      metrics,
    }),
  );
  const server = opened.use(
    await createApiServer(api, {
      material,
      host,
      port,
      loads: controllers,
      explainer: controllers,
      registry: builtin,
      builtinRegistry: registry.host,
      metrics,
    }),
  );
  await Promise.all([controllers.start(), material.writeCredentials(server.url)]);
  opened.adopt(compactRegularly(store, clock, log), (compaction) => compaction.stop());
  log.info("serving", { url: server.url, revision: store.head() });
  const owned = opened.move();
  return {
    facts: { url: server.url, kubeconfig: join(dataDir, "kubeconfig") },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const portOf = (httpsUrl: string): number => Number(new URL(httpsUrl).port) || 443;

const addressesOf = ({ domain, gatewayPort, host, advertise }: Settings): Addresses => ({
  domain,
  gatewayPort,
  gatewayHost: isEveryAddress(host) ? (advertise[0] ?? "127.0.0.1") : host,
});

function registryClient(
  { registry, mirrors }: Settings,
  builtin: RegistryEndpoint,
  dockerConfig: string | undefined,
): RegistryClient {
  return new RegistryClient({
    credentials: new DockerCredentials(dockerConfig),
    endpoints: new Map([[registry.host, builtin]]),
    mirrors,
    plainHttp: new Set([registry.host]),
    clock,
    random,
  });
}

/** Opens the store, and measures it and this process; exports what is measured where that is asked for. */
async function openStore(
  opened: AsyncDisposableStack,
  { dataDir }: Settings,
  { log, telemetry }: { readonly log: ProcessLog; readonly telemetry: TelemetrySettings },
): Promise<{ readonly store: Store; readonly metrics: Metrics }> {
  const metrics = new Metrics();
  addProcessMetrics(metrics);
  const file = join(dataDir, "state.db");
  const store = opened.use(
    measuredStore(SqliteStore.open(file), metrics, { system: "sqlite", fileBytes: () => bytesOf(file) }),
  );
  const service = "shallop-control-plane";
  const exporting = { settings: telemetry, clock, log, service, instance: random.uuid(), metrics };
  opened.adopt(await startExport(exporting), (exported) => exported.close());
  return { store, metrics };
}

/** Of the store's file and of its log. */
async function bytesOf(file: string): Promise<number> {
  const sizes = await Promise.all(
    [file, `${file}-wal`].map((one) =>
      stat(one)
        .then(({ size }) => size)
        .catch(() => 0),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** No address by which anybody reaches anything. */
const isEveryAddress = (host: string): boolean => host === "0.0.0.0" || host === "::";

/** Who issues certificates: the cluster's authority, and the ACME authority that the operator has named. */
async function issuersOf(
  { acme, dataDir }: Settings,
  { authority }: ClusterMaterial,
  client: ApiClient,
): Promise<Issuers> {
  const internal = new InternalIssuer(authority, clock);
  if (acme === undefined) return { internal };
  const accountKey = await keptFile(join(dataDir, "pki/acme-account.key"), newAccountKey);
  return { internal, acme: new AcmeIssuer({ ...acme, accountKey, challenges: new SecretChallenges(client, clock) }) };
}
