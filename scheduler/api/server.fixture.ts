import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { httpsClient, type HttpsClient } from "@shallop/sdk/client";
import { silentLog, systemClock, systemRandom } from "@shallop/sdk/internal";
import type { LoadReport } from "@shallop/sdk/wire";
import { SqliteStore } from "../store/sqlite-store.ts";
import { createApi } from "./api.ts";
import type { Machinery } from "./machinery.ts";
import { type ClusterMaterial, ensureClusterMaterial } from "./pki/cluster-material.ts";
import { type ApiServer, type ApiServerOptions, createApiServer } from "./server.ts";

export interface RunningApi extends AsyncDisposable {
  readonly api: Machinery;
  readonly server: ApiServer;
  readonly material: ClusterMaterial;
  /** Holds `kubeconfig` and `credentials/`. */
  readonly dataDir: string;
  /** Load reports that came in. */
  readonly reports: LoadReport[];
  /** A client with this bearer token. */
  client(token: string): HttpsClient;
  readonly authority: string;
}

/** The API server as it runs in the control plane: SQLite, TLS, a port of its own. */
export async function runApi(options: Partial<ApiServerOptions> = {}): Promise<RunningApi> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "shallop-api-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const store = stack.use(SqliteStore.open(join(dataDir, "state.db")));
  const api = await createApi({ store, clock: systemClock, random: systemRandom, log: silentLog });
  const material = await ensureClusterMaterial({ dataDir, advertise: [], clock: systemClock, random: systemRandom });
  const reports: LoadReport[] = [];
  const server = stack.use(
    await createApiServer(api, {
      material,
      host: "127.0.0.1",
      port: 0,
      loads: { report: (report) => void reports.push(report) },
      explainer: { explain: (namespace, service) => ({ namespace, service, revisions: [] }) },
      builtinRegistry: "127.0.0.1:5000",
      ...options,
    }),
  );
  await material.writeCredentials(server.url);
  const authority = await readFile(join(dataDir, "pki/ca.crt"), "utf8");
  const owned = stack.move();
  return {
    api,
    server,
    material,
    dataDir,
    reports,
    authority,
    client: (token) => owned.use(httpsClient({ server: server.url, token, authority })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
