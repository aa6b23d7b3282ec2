import { createHash } from "node:crypto";
import { access, constants, mkdir, readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { apiVersionOf, label, namespaces } from "@shallop/sdk/api";
import { type HttpsClient, httpsClient, readCredentials } from "@shallop/sdk/client";
import { type Clock, errorCode, type Log, type Random } from "@shallop/sdk/internal";
import { watchEnds } from "./containers/container-ends.ts";
import type { ContainerRecord } from "./containers/container-record.ts";
import { containerRoutes, contextOf } from "./containers/container-routes.ts";
import { Containers } from "./containers/containers.ts";
import { Execs } from "./containers/exec-routes.ts";
import { LocalCgroups } from "./containers/local-cgroups.ts";
import { pauseRoutes } from "./containers/pause.ts";
import { Lifecycle } from "./containers/lifecycle.ts";
import { dockerNamespace } from "./containers/pod-spec.ts";
import { PortProxies } from "./containers/port-proxies.ts";
import { RecordStore } from "./containers/record-store.ts";
import { attachRoutes, logRoutes } from "./containers/stream-routes.ts";
import { statsRoutes } from "./containers/stats.ts";
import { topRoutes } from "./containers/top.ts";
import { Terminals } from "./containers/terminals.ts";
import { diskUsageRoutes } from "./disk-usage.ts";
import { updateRoutes } from "./containers/update.ts";
import { EventLog } from "./event-log.ts";
import { archiveRoutes } from "./files/archive-routes.ts";
import { changesRoutes } from "./files/changes-routes.ts";
import { commitRoutes } from "./files/commit.ts";
import { openFilesDirectory } from "./files/container-files.ts";
import { fillVolumes } from "./files/fill-volumes.ts";
import { Router } from "./http/router.ts";
import { serveDocker } from "./http/server.ts";
import { buildRoutes } from "./images/build-routes.ts";
import { ImageLibrary } from "./images/image-library.ts";
import { imageRoutes } from "./images/image-routes.ts";
import { type NetworkRecord, Networks } from "./networks/networks.ts";
import { networkRoutes } from "./networks/network-routes.ts";
import { systemRoutes } from "./system-routes.ts";
import { volumeRoutes } from "./volumes/volume-routes.ts";
import { type VolumeRecord, Volumes } from "./volumes/volumes.ts";

export interface EngineSettings {
  /** The platform's; what this process keeps is in `docker/` in it. */
  readonly dataDirectory: string;
  readonly socketPath: string;
  /** How the API of the platform is reached, by somebody who may do everything in the namespace of the containers. */
  readonly credentialsFile: string;
  /** Of this machine: containers run where their files and ports are meant. */
  readonly nodeName: string;
  readonly builtinRegistry: string;
  /** Of the platform's own login to the registry; not there when the registry asks for none. */
  readonly registrySecretFile?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Opens what is kept, follows the pods, and serves. */
export async function startEngine(settings: EngineSettings): Promise<AsyncDisposable> {
  const { clock, log, signal } = settings;
  const directory = join(settings.dataDirectory, "docker");
  // Searchable: programs of containers that are not root reach their volumes through it.
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const library = await openLibrary(settings, directory);
  const credentials = await readCredentials(settings.credentialsFile);
  const client = httpsClient(credentials, { clock, random: settings.random, name: "shallop-docker" });
  await makeNamespace(client, signal);
  const events = new EventLog(clock);
  const kept = <Stored extends object>(name: string) => RecordStore.open<Stored>(join(directory, name));
  const networks = await Networks.open(await kept<NetworkRecord>("networks"), { clock, log, events });
  const volumes = await Volumes.open(join(directory, "volumes"), await kept<VolumeRecord>("volume-records"), {
    clock,
    log,
    events,
  });
  const records = await kept<ContainerRecord>("containers");
  const containers = await Containers.open({ client, records, events, clock, log, signal });
  const ports = new PortProxies({ credentials, clock, log });
  const nodeDirectory = join(settings.dataDirectory, "node");
  const machine = {
    nodeName: settings.nodeName,
    memoryBytes: totalmem(),
    cpus: availableParallelism(),
    volumePath: (name: string) => volumes.path(name),
    ...(await findInit()),
  };
  const node = { client, cgroups: await LocalCgroups.open(nodeDirectory, clock), nodeDirectory, clock };
  const lifecycle = new Lifecycle({ ...node, containers, machine, ports, log, signal });
  watchEnds({ containers, lifecycle, ports, volumes, clock, log, signal });
  await containers.follow();
  const streams = { ...node, containers, credentials, terminals: new Terminals(), log };
  const execs = new Execs(streams);
  const router = new Router();
  router.add(
    systemRoutes({ ...{ library, events, directory, containers }, nodeName: settings.nodeName, ...identity(settings) }),
  );
  const builderDirectory = join(directory, "builder");
  router.add(buildRoutes({ library, events, builderDirectory, environment: settings.environment }));
  const context = () => contextOf({ clock, volumes, networks });
  router.add(diskUsageRoutes({ library, containers, volumes, builderDirectory, nodeDirectory, context }));
  const files = { library, containers, volumes, events, nodeDirectory, clock, directory: join(directory, "files") };
  await openFilesDirectory(files.directory);
  const made = { client, library, containers, networks, volumes, machine, lifecycle, clock, nodeDirectory };
  router.add(containerRoutes({ ...made, fillVolumes: (record, abort) => fillVolumes(files, record, abort) }));
  router.add(imageRoutes({ ...files, users: containers }));
  router.add(archiveRoutes(files));
  router.add(changesRoutes(files));
  router.add(commitRoutes(files));
  router.add(pauseRoutes({ ...node, containers }));
  router.add(updateRoutes({ ...node, containers, machine }));
  router.add(topRoutes({ ...node, containers }));
  router.add(statsRoutes({ ...node, containers }));
  router.add(logRoutes(streams));
  router.add(execs.routes());
  router.add(networkRoutes({ ...node, networks, containers }));
  router.add(volumeRoutes({ volumes, containers }));
  router.add({ ...attachRoutes(streams), ...execs.startRoutes() }, { hijacks: true });
  const server = await serveDocker(settings.socketPath, { router, log, signal });
  return {
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      for (const container of containers.all()) ports.close(container);
      client.close();
    },
  };
}

/** Static ones: they run in whatever image. */
const initPrograms = ["docker-init", "tini-static", "catatonit"].flatMap((name) =>
  ["/usr/bin", "/usr/sbin", "/usr/libexec/docker", "/usr/libexec/podman"].map((directory) => join(directory, name)),
);

/** For `--init`. */
async function findInit(): Promise<{ readonly initProgram?: string }> {
  for (const initProgram of initPrograms) {
    if (
      await access(initProgram, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return { initProgram };
  }
  return {};
}

async function openLibrary(settings: EngineSettings, directory: string): Promise<ImageLibrary> {
  const { clock, random, builtinRegistry } = settings;
  const registryToken = await secretIn(settings.registrySecretFile);
  return ImageLibrary.open({
    ...{ directory: join(directory, "images"), builtinRegistry, clock, random },
    registryDirectory: join(settings.dataDirectory, "registry"),
    ...(registryToken === undefined ? {} : { registryToken }),
  });
}

/** Containers may ask for what Docker's may: whoever opens the socket is root of the node. */
async function makeNamespace(client: HttpsClient, signal: AbortSignal): Promise<void> {
  const labels = { [label.podSecurity]: "privileged" };
  const object = {
    apiVersion: apiVersionOf(namespaces),
    kind: "Namespace" as const,
    metadata: { name: dockerNamespace, labels },
  };
  await client.create(namespaces, object, signal).catch((error: unknown) => {
    if (errorCode(error) !== "AlreadyExists") throw error;
  });
}

/** The same for the same data directory. */
const identity = ({ dataDirectory, clock }: EngineSettings) => ({
  id: createHash("sha256").update(dataDirectory).digest("hex").slice(0, 32),
  startedAt: new Date(clock.wallMs()).toISOString(),
});

async function secretIn(file: string | undefined): Promise<string | undefined> {
  const text = file === undefined ? undefined : await readFile(file, "utf8").catch(() => undefined);
  return text?.trim();
}
