import type {
  Container,
  ContainerProbe,
  DownwardFile,
  EnvFromSource,
  EnvVar,
  HandlerAction,
  KeyToPath,
  PodSpec,
  PodVolume,
} from "@shallop/sdk/api";
import { annotation, label, parseQuantity } from "@shallop/sdk/api";
import { parseDurationMs } from "@shallop/sdk/internal";
import type {
  Action,
  ContainerKind,
  ContainerLaunch,
  ContainerStreams,
  PodPlan,
  Probe,
  Volume,
  VolumeFile,
  VolumeMount,
  VolumeSource,
} from "../pod/containers/container-launch.ts";
import type { WantedPurpose } from "../component/requirements.ts";
import { type ComponentFiles, PodFault } from "../pod/pod-runtime.ts";
import { podSecurity } from "../pod/pod-security.ts";
import { type DownwardFacts, fieldOf, resourceOf } from "./downward.ts";
import type { Entries, GivenObjects } from "./given-objects.ts";
import { expandVariables } from "./expand-variables.ts";
import type { PreparedImage } from "./image-source.ts";
import { containerLimitsOf, graceMsOf, type PodManifest } from "./manifest.ts";
import type { PodRecord } from "./pod-record.ts";
import { processWishOf } from "./process-wish.ts";
import { serviceVariables } from "./service-variables.ts";

/** What asks to be started again sooner would keep the node busy with starts. */
const restartAfterMsMin = 100;

/** Is it a pod of its own, and not one of a revision, which is always one program that listens? */
export const isPlain = (manifest: PodManifest): boolean => manifest.labels[label.revision] === undefined;

/** Is it a pod of its own that runs natively: containers, each with its own life? */
export const isPlanned = ({ manifest, chosen }: PodRecord): boolean =>
  isPlain(manifest) && chosen?.variant === "native";

/** A revision's pods serve; a pod of its own may be a program that comes to an end. */
export const purposeOf = (manifest: PodManifest): WantedPurpose => (isPlain(manifest) ? "either" : "serve");

/** Every container of a pod, those that initialise it first. */
export const containersOf = (spec: PodSpec): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];

/** Why only native containers can be this pod; undefined: a component could, too. */
export function nativeNeed({ spec }: PodManifest): string | undefined {
  const [first] = spec.containers;
  if (containersOf(spec).length > 1) return "it has several containers";
  const mounted = new Set((first?.volumeMounts ?? []).map(({ name }) => name));
  const ofMachine = (spec.volumes ?? []).find(({ name, hostPath }) => hostPath !== undefined && mounted.has(name));
  if (ofMachine !== undefined) return `its volume ${ofMachine.name} is a path of the machine`;
  if (first?.lifecycle !== undefined) return "it has lifecycle hooks";
  return undefined;
}

export interface PlanInput {
  readonly manifest: PodManifest;
  /** By container's name. */
  readonly images: ReadonlyMap<string, PreparedImage>;
  readonly facts: DownwardFacts;
  readonly given: GivenObjects;
}

/** What is to be run of a pod: its containers, in order, and its volumes. Pure. @throws PodFault UNSUPPORTED */
export function planOf(input: PlanInput): PodPlan {
  const { manifest } = input;
  const { spec } = manifest;
  const inits = (spec.initContainers ?? []).map((container) =>
    containerLaunch(container, container.restartPolicy === "Always" ? "sidecar" : "init", input),
  );
  const mains = spec.containers.map((container) => containerLaunch(container, "main", input));
  return {
    containers: [...inits, ...mains],
    volumes: volumesOf(input),
    ...present("networks", networksOf(manifest)),
    ...(manifest.annotations[annotation.network] === "none" ? { isAlone: true } : {}),
    restart: spec.restartPolicy ?? "Always",
    ...restartAfterOf(manifest),
    graceMs: graceMsOf(spec),
    ...(spec.activeDeadlineSeconds === undefined ? {} : { activeDeadlineMs: spec.activeDeadlineSeconds * 1000 }),
  };
}

/** The volumes of a pod, with what is in them by now. @throws PodFault UNSUPPORTED */
export const volumesOf = (input: EnvironmentInput): readonly Volume[] =>
  (input.manifest.spec.volumes ?? []).map((volume) => ({ name: volume.name, source: sourceOf(volume, input) }));

/** The volumes of a component that mounts any, and where. @throws PodFault UNSUPPORTED */
export function filesOf(container: Container, input: EnvironmentInput): ComponentFiles | undefined {
  const mounts = mountsOf(container, input);
  const used = new Set(mounts.map(({ volume }) => volume));
  return mounts.length === 0 ? undefined : { mounts, volumes: volumesOf(input).filter(({ name }) => used.has(name)) };
}

const mountsOf = (container: Container, input: EnvironmentInput): readonly VolumeMount[] =>
  (container.volumeMounts ?? []).map((mount) => ({
    volume: mount.name,
    mountPath: mount.mountPath,
    readOnly: mount.readOnly === true,
    ...(mount.subPath === undefined || mount.subPath === "" ? {} : { subPath: plainPath(mount.subPath, input) }),
  }));

/** Is it made of what other objects, or the pod's own, say? */
export const isOfFiles = ({ configMap, secret, downwardAPI, projected }: PodVolume): boolean =>
  [configMap, secret, downwardAPI, projected].some((source) => source !== undefined);

function containerLaunch(container: Container, kind: ContainerKind, input: PlanInput): ContainerLaunch {
  const name = container.name ?? "";
  const prepared = input.images.get(name);
  if (prepared === undefined) throw unsupported(input, `the image of container ${name} is not prepared`);
  const env = environmentOf(container, input);
  const known = new Map(env.map((variable) => [variable.name, variable.value]));
  const expanded = (words: readonly string[]): readonly string[] => words.map((word) => expandVariables(word, known));
  const { command, args, workingDir, lifecycle } = container;
  const probe = (given: ContainerProbe | undefined): Probe | undefined =>
    given === undefined ? undefined : probeOf(given, container, input);
  const { pidsMax, ...wish } = processWishOf(input.manifest);
  const limits = containerLimitsOf(container);
  const action = (given: HandlerAction | undefined): Action | undefined =>
    given === undefined ? undefined : actionOf(given, container, input);
  return {
    name,
    kind,
    image: prepared.image,
    imageId: prepared.imageId,
    env,
    ...(command === undefined ? {} : { command: expanded(command) }),
    ...(args === undefined ? {} : { args: expanded(args) }),
    ...(workingDir === undefined ? {} : { workingDir }),
    limits: { ...limits, pidsMax: Math.min(limits.pidsMax, pidsMax ?? limits.pidsMax) },
    security: { ...podSecurity(input.manifest.spec, container), ...wish },
    mounts: mountsOf(container, input),
    ...present("keptRoot", keptRootOf(name, input)),
    streams: streamsOf(container, input.manifest),
    ...present("startup", probe(container.startupProbe)),
    ...present("liveness", probe(container.livenessProbe)),
    ...present("readiness", probe(container.readinessProbe)),
    ...present("postStart", action(lifecycle?.postStart)),
    ...present("preStop", action(lifecycle?.preStop)),
  };
}

/** Its standard streams, and how they begin. */
export function streamsOf(
  { stdin = false, stdinOnce = false, tty = false }: Container,
  { annotations }: Pick<PodManifest, "annotations">,
): ContainerStreams {
  const [, columns, rows] = /^(\d{1,4})x(\d{1,4})$/.exec(annotations[annotation.terminalSize] ?? "") ?? [];
  return {
    ...{ stdin, stdinOnce, tty },
    ...(columns === undefined || rows === undefined ? {} : { size: { columns: Number(columns), rows: Number(rows) } }),
    ...(annotations[annotation.holdsOutput] === "true" ? { holdsOutput: true } : {}),
  };
}

/** The first wait before what has ended is started again, where the pod asks for one. */
export function restartAfterOf({ annotations }: Pick<PodManifest, "annotations">): {
  readonly restartAfterMs?: number;
} {
  const ms = parseDurationMs(annotations[annotation.restartAfter] ?? "");
  return ms === undefined || ms < restartAfterMsMin ? {} : { restartAfterMs: ms };
}

/** @throws PodFault UNSUPPORTED */
function keptRootOf(container: string, input: PlanInput): string | undefined {
  const { namespace, annotations } = input.manifest;
  const root = annotations[annotation.root];
  if (root === undefined) return undefined;
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(root))
    throw unsupported(input, `${annotation.root} is ${JSON.stringify(root.slice(0, 80))}, which is no name`);
  return [namespace, root, container].join("/");
}

const [networksMax, namesMax] = [32, 128];
const networkName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/;

/** @throws PodFault UNSUPPORTED */
/** Those that the pod shares with others of its node; undefined: none. @throws PodFault UNSUPPORTED */
export function networksOf(manifest: Pick<PodManifest, "namespace" | "name" | "annotations">): PodPlan["networks"] {
  const { namespace, name, annotations } = manifest;
  const text = annotations[annotation.networks];
  if (text === undefined) return undefined;
  const networks = Object.entries(jsonObject(text) ?? {}).map(([network, names]) => ({
    network: `${namespace}/${network}`,
    names: Array.isArray(names) ? names.filter((one) => typeof one === "string").map((one) => one.toLowerCase()) : [],
  }));
  const isGood = networks.every(
    ({ network, names }) =>
      networkName.test(network.slice(namespace.length + 1)) &&
      names.length <= namesMax &&
      names.every((one) => networkName.test(one)),
  );
  if (networks.length > 0 && networks.length <= networksMax && isGood) return networks;
  throw new PodFault(
    "UNSUPPORTED",
    `pod ${namespace}/${name}: ${annotation.networks} is no JSON object of networks with lists of names`,
  );
}

function jsonObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const present = <Name extends string, Value>(name: Name, value: Value | undefined): { readonly [N in Name]?: Value } =>
  // The cast says only that a computed name is that name.
  value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: Value });

type EnvironmentInput = Omit<PlanInput, "images">;

/** A container's variables, those of Services and of whole objects first: what it says itself counts more. @throws PodFault UNSUPPORTED */
export function environmentOf(
  container: Container,
  input: EnvironmentInput,
): readonly { readonly name: string; readonly value: string }[] {
  const known = new Map(serviceVariables(input.manifest, input.given.services));
  for (const source of container.envFrom ?? []) {
    for (const [name, value] of variablesOf(source, input)) known.set(name, value);
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, container, input);
    if (value !== undefined) known.set(variable.name, expandVariables(value, known));
  }
  return [...known].map(([name, value]) => ({ name, value }));
}

/** Names that no variable can have are left out, as the kubelet does. */
function variablesOf(
  { prefix = "", configMapRef, secretRef }: EnvFromSource,
  input: EnvironmentInput,
): [string, string][] {
  const entries =
    configMapRef === undefined
      ? entriesOf("Secret", secretRef?.name, secretRef?.optional, input)
      : entriesOf("ConfigMap", configMapRef.name, configMapRef.optional, input);
  return [...entries].flatMap(([key, base64]) =>
    environmentName.test(prefix + key) ? [[prefix + key, textOf(base64)] satisfies [string, string]] : [],
  );
}

const environmentName = /^[\x20-<>-~]+$/;
const textOf = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");

/** Of an object that the pod names; none when it may be missing, and is. @throws PodFault UNSUPPORTED */
function entriesOf(
  kind: "Secret" | "ConfigMap",
  name = "",
  isOptional: boolean | undefined,
  input: EnvironmentInput,
): Entries {
  const entries = (kind === "Secret" ? input.given.secrets : input.given.configMaps).get(name);
  if (entries !== undefined) return entries;
  if (isOptional === true) return new Map();
  throw unsupported(input, `${kind} ${JSON.stringify(name)} not found`);
}

/** Undefined: it may be missing, and is. */
function valueOf({ value, valueFrom }: EnvVar, container: Container, input: EnvironmentInput): string | undefined {
  if (valueFrom === undefined) return value ?? "";
  const { fieldRef, resourceFieldRef, secretKeyRef, configMapKeyRef } = valueFrom;
  if (fieldRef !== undefined) return fieldOf(fieldRef.fieldPath, input.manifest, input.facts);
  if (resourceFieldRef !== undefined) return resourceOf(resourceFieldRef, container, input.manifest.spec);
  const reference = secretKeyRef ?? configMapKeyRef;
  if (reference === undefined) return "";
  const kind = secretKeyRef === undefined ? "ConfigMap" : "Secret";
  const base64 = entriesOf(kind, reference.name, reference.optional, input).get(reference.key);
  if (base64 !== undefined) return textOf(base64);
  if (reference.optional === true) return undefined;
  throw unsupported(input, `${kind} ${JSON.stringify(reference.name)} has no key ${JSON.stringify(reference.key)}`);
}

function probeOf(given: ContainerProbe, container: Container, input: PlanInput): Probe {
  const seconds = (value: number | undefined, initial: number): number => (value ?? initial) * 1000;
  return {
    action: actionOf(given, container, input),
    initialDelayMs: seconds(given.initialDelaySeconds, 0),
    periodMs: seconds(given.periodSeconds, 10),
    timeoutMs: seconds(given.timeoutSeconds, 1),
    successThreshold: given.successThreshold ?? 1,
    failureThreshold: given.failureThreshold ?? 3,
  };
}

function actionOf(given: HandlerAction, container: Container, input: PlanInput): Action {
  const { exec, httpGet, tcpSocket, grpc, sleep } = given;
  if (exec !== undefined) return { kind: "exec", command: exec.command };
  if (httpGet !== undefined) {
    const { host } = httpGet;
    return {
      kind: "http",
      port: portOf(httpGet.port, container, input),
      path: httpGet.path ?? "/",
      scheme: httpGet.scheme === "HTTPS" ? "https" : "http",
      headers: httpGet.httpHeaders ?? [],
      ...(host === undefined || host === "" ? {} : { host }),
    };
  }
  if (tcpSocket !== undefined) {
    const { host } = tcpSocket;
    const port = portOf(tcpSocket.port, container, input);
    return { kind: "tcp", port, ...(host === undefined || host === "" ? {} : { host }) };
  }
  if (grpc !== undefined) return { kind: "grpc", port: grpc.port, service: grpc.service ?? "" };
  if (sleep !== undefined) return { kind: "sleep", durationMs: sleep.seconds * 1000 };
  throw unsupported(input, `a probe or hook of container ${container.name ?? ""} says nothing to do`);
}

/** By number, or by the name that the container gives it. */
function portOf(port: number | string, container: Container, input: PlanInput): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = typeof port === "number" ? port : (named ?? Number(port));
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw unsupported(input, `container ${container.name ?? ""} has no port ${String(port)}`);
}

const modeDefault = 0o644;

function sourceOf(volume: PodVolume, input: EnvironmentInput): VolumeSource {
  const { emptyDir, hostPath, downwardAPI, projected } = volume;
  if (emptyDir !== undefined) {
    const bytesMax = emptyDir.sizeLimit === undefined ? undefined : parseQuantity(emptyDir.sizeLimit);
    return {
      kind: "emptyDir",
      inMemory: emptyDir.medium === "Memory",
      ...(bytesMax === undefined || bytesMax <= 0 ? {} : { bytesMax }),
    };
  }
  if (hostPath !== undefined) return { kind: "hostPath", path: hostPath.path, type: hostPath.type ?? "" };
  if (downwardAPI !== undefined) {
    return { kind: "files", files: downwardFiles(downwardAPI.items ?? [], downwardAPI.defaultMode, input) };
  }
  if (projected !== undefined) {
    const files = (projected.sources ?? []).flatMap(({ secret, configMap, downwardAPI: downward }) => [
      ...(secret === undefined ? [] : entryFiles("Secret", secret.name, { ...secret, ...mode(projected) }, input)),
      ...(configMap === undefined
        ? []
        : entryFiles("ConfigMap", configMap.name, { ...configMap, ...mode(projected) }, input)),
      ...(downward === undefined ? [] : downwardFiles(downward.items ?? [], projected.defaultMode, input)),
    ]);
    return { kind: "files", files };
  }
  const { secret, configMap } = volume;
  if (secret !== undefined) return { kind: "files", files: entryFiles("Secret", secret.secretName, secret, input) };
  if (configMap !== undefined) {
    return { kind: "files", files: entryFiles("ConfigMap", configMap.name, configMap, input) };
  }
  const kinds = Object.keys(volume).filter((key) => key !== "name");
  throw unsupported(input, `volume ${volume.name} is of a kind that nodes do not have: ${kinds.join(", ")}`);
}

const mode = ({ defaultMode }: { readonly defaultMode?: number }): { readonly defaultMode?: number } =>
  defaultMode === undefined ? {} : { defaultMode };

/** All entries of an object by their keys, or those that are named by their paths. */
function entryFiles(
  kind: "Secret" | "ConfigMap",
  name: string | undefined,
  how: { readonly items?: readonly KeyToPath[]; readonly defaultMode?: number; readonly optional?: boolean },
  input: EnvironmentInput,
): VolumeFile[] {
  const entries = entriesOf(kind, name, how.optional, input);
  const items = how.items ?? [...entries.keys()].map((key): KeyToPath => ({ key, path: key }));
  return items.flatMap((item) => {
    const base64 = entries.get(item.key);
    if (base64 === undefined) {
      if (how.optional === true) return [];
      throw unsupported(input, `${kind} ${JSON.stringify(name)} has no key ${JSON.stringify(item.key)}`);
    }
    return [{ path: plainPath(item.path, input), base64, mode: item.mode ?? how.defaultMode ?? modeDefault }];
  });
}

function downwardFiles(
  items: readonly DownwardFile[],
  mode: number | undefined,
  input: EnvironmentInput,
): VolumeFile[] {
  const { manifest, facts } = input;
  return items.map((item) => {
    const of = manifest.spec.containers.find(({ name }) => name === item.resourceFieldRef?.containerName);
    const text =
      item.fieldRef !== undefined
        ? fieldOf(item.fieldRef.fieldPath, manifest, facts)
        : item.resourceFieldRef !== undefined && of !== undefined
          ? resourceOf(item.resourceFieldRef, of, manifest.spec)
          : "";
    return {
      path: plainPath(item.path, input),
      base64: Buffer.from(text).toString("base64"),
      mode: item.mode ?? mode ?? modeDefault,
    };
  });
}

/** A path that stays below where it begins. @throws PodFault UNSUPPORTED */
function plainPath(path: string, input: EnvironmentInput): string {
  if (path !== "" && !path.startsWith("/") && !path.split("/").includes("..") && !path.includes("\0")) return path;
  throw unsupported(input, `${JSON.stringify(path.slice(0, 100))} is no path inside a volume`);
}

const unsupported = ({ manifest }: Pick<PlanInput, "manifest">, why: string): PodFault =>
  new PodFault("UNSUPPORTED", `pod ${manifest.namespace}/${manifest.name}: ${why}`);
