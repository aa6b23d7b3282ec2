import {
  annotation,
  type Json,
  type JsonObject,
  label,
  listAt,
  objectAt,
  type Pod,
  textAt,
  textsAt,
} from "@shallop/sdk/api";
import type { CheckResult, ContainerChecks } from "@shallop/sdk/wire";
import type { ContainerRecord } from "./container-record.ts";
import { type ContainerState, hasProgram, isActive, statusText } from "./container-state.ts";
import { type ContainerRequest, parseCreateBody } from "./create-body.ts";
import { hasFailed, imageHealthcheck } from "./healthcheck.ts";

/** All that is known of a container, for what is told of it. */
export interface ContainerView {
  readonly record: ContainerRecord;
  readonly pod: Pod | undefined;
  readonly state: ContainerState;
}

export interface ViewContext {
  readonly nowMs: number;
  /** Where a named volume's files are. */
  readonly volumePath: (name: string) => string;
  /** The id of a network by its name. */
  readonly networkId: (name: string) => string;
}

/** Docker's "never". */
const never = "0001-01-01T00:00:00Z";

/** An element of `GET /containers/json`. Pure. */
export function containerSummary(view: ContainerView, context: ViewContext): object {
  const { record, state } = view;
  const request = parseCreateBody(record.body);
  const [path, ...args] = commandOf(record, request);
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.imageName,
    ImageID: record.imageId,
    Command: [path, ...args].join(" "),
    Created: Math.floor(Date.parse(record.createdAt) / 1000),
    Ports: isActive(state) ? portList(record, request) : [],
    Labels: labelsOf(record, request),
    State: state.name,
    Status: statusText(state, context.nowMs),
    HostConfig: { NetworkMode: networkMode(request) },
    NetworkSettings: { Networks: networksOf(view, context) },
    Mounts: mountsOf(record, request, context),
  };
}

/** What is found out of a container that runs when somebody asks. */
export interface LiveFacts {
  /** Of its first process on this machine; 0: it has none. */
  readonly pid: number;
  readonly checks?: ContainerChecks | undefined;
}

/** The pod tells only that it was never ready; the node knows how often it was asked. Pure. */
export function withChecks(view: ContainerView, checks: ContainerChecks | undefined): ContainerView {
  const { record, state, pod } = view;
  const check = imageHealthcheck(record);
  if (state.health !== "starting" || check === undefined || checks === undefined) return view;
  if (!hasFailed(check, checks, Date.parse(state.startedAt ?? ""))) return view;
  return { record, pod, state: { ...state, health: "unhealthy" } };
}

/** `GET /containers/ID/json`. Pure. */
export function containerInspection(seen: ContainerView, context: ViewContext, live: LiveFacts = { pid: 0 }): object {
  const view = withChecks(seen, live.checks);
  const { record, state, pod } = view;
  const request = parseCreateBody(record.body);
  const [Path = "", ...Args] = commandOf(record, request);
  const networks = networksOf(view, context);
  const address = hasProgram(state) ? (pod?.status?.podIP ?? "") : "";
  return {
    Id: record.id,
    Created: record.createdAt,
    ...{ Path, Args },
    State: stateJson(view, live),
    Image: record.imageId,
    ...{ ResolvConfPath: "", HostnamePath: "", HostsPath: "", LogPath: "" },
    Name: `/${record.name}`,
    // It is counted when the program has ended, and not when it begins again.
    RestartCount: state.restartCount + (state.name === "restarting" ? 1 : 0),
    ...variantJson(pod),
    ...{ Driver: "overlay2", MountLabel: "", ProcessLabel: "", AppArmorProfile: "", ExecIDs: null },
    HostConfig: { ...objectAt(record.body, "HostConfig"), NetworkMode: networkMode(request) },
    GraphDriver: { Name: "overlay2", Data: null },
    Mounts: mountsOf(record, request, context),
    Config: configOf(record, request),
    NetworkSettings: {
      ...{ Bridge: "", SandboxID: "", SandboxKey: "", HairpinMode: false },
      Ports: hasProgram(state) ? portMap(record, request) : {},
      IPAddress: address,
      IPPrefixLen: address === "" ? 0 : 32,
      ...{ Gateway: "", MacAddress: "", EndpointID: "" },
      Networks: networks,
    },
  };
}

/** Which variant of the image runs, and why: `Variant` is ours, the rest is Docker's. */
function variantJson(pod: Pod | undefined): object {
  const kind = pod?.metadata.labels?.[label.variant];
  if (pod === undefined || kind === undefined) return { Platform: "linux" };
  const ImageID = pod.status?.containerStatuses?.[0]?.imageID ?? "";
  const Reason = pod.metadata.annotations?.[annotation.variantReason] ?? "";
  return { Platform: kind === "wasm" ? "wasi" : "linux", Variant: { Kind: kind, ImageID, Reason } };
}

function stateJson({ state, record }: ContainerView, { pid: Pid, checks }: LiveFacts): object {
  const { name, ended, startedAt, health } = state;
  const check = imageHealthcheck(record);
  const isRunning = name === "running" || name === "paused" || name === "restarting";
  return {
    Status: name,
    Running: isRunning,
    Paused: name === "paused",
    Restarting: name === "restarting",
    OOMKilled: ended?.oomKilled ?? false,
    Dead: false,
    Pid,
    ExitCode: hasProgram(state) ? 0 : (ended?.exitCode ?? 0),
    Error: isRunning ? "" : (ended?.error ?? ""),
    StartedAt: (isRunning ? startedAt : ended?.startedAt) ?? never,
    FinishedAt: ended?.finishedAt ?? never,
    ...(check === undefined
      ? {}
      : {
          Health: {
            Status: health === "none" ? "unhealthy" : health,
            FailingStreak: checks?.failingStreak ?? (health === "unhealthy" ? 1 : 0),
            Log: (checks?.results ?? []).map(checkJson),
          },
        }),
  };
}

const checkJson = ({ startWallMs, endWallMs, exitCode, output }: CheckResult): object => ({
  Start: new Date(startWallMs).toISOString(),
  End: new Date(endWallMs).toISOString(),
  ExitCode: exitCode,
  Output: output,
});

/** What was asked for, with the image's words where nothing was said: as Docker merges them. */
function configOf({ body, imageConfig, id, imageName }: ContainerRecord, request: ContainerRequest): object {
  const { HostConfig: _host, NetworkingConfig: _networking, ...own } = body;
  const image = parseCreateBody(imageConfig);
  const words = (list: readonly string[] | undefined): readonly string[] | null => (list === undefined ? null : list);
  return {
    ...own,
    Hostname: textAt(own, "Hostname") ?? id.slice(0, 12),
    Image: imageName,
    Env: mergedEnvironment(image.env, request.env),
    Cmd: words(request.cmd ?? (request.entrypoint === undefined ? image.cmd : undefined)),
    Entrypoint: words(request.entrypoint ?? image.entrypoint),
    WorkingDir: request.workingDir === "" ? image.workingDir : request.workingDir,
    User: request.user === "" ? image.user : request.user,
    Labels: { ...image.labels, ...request.labels },
    ...inherited(own, imageConfig),
    ...healthcheckJson(own, imageConfig),
    ExposedPorts: Object.fromEntries([...image.exposedPorts, ...request.exposedPorts].map((port) => [port, {}])),
  };
}

/** What is the image's where the container says nothing. */
const inherited = (own: JsonObject, image: JsonObject): JsonObject =>
  Object.fromEntries(
    ["StopSignal", "Volumes", "Shell"].flatMap((name) => {
      const value = isSaid(own[name]) ? own[name] : image[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** Times that the container says go with the image's test. */
function healthcheckJson(own: JsonObject, image: JsonObject): JsonObject {
  const [said, ofImage] = [objectAt(own, "Healthcheck"), objectAt(image, "Healthcheck")];
  const test = [said, ofImage].find((check) => listAt(check, "Test").length > 0);
  if (test === undefined) return {};
  const given = Object.entries(said).filter(([, value]) => isSaid(value));
  return { Healthcheck: test === said ? said : { ...ofImage, ...Object.fromEntries(given) } };
}

const isSaid = (value: Json | undefined): boolean =>
  typeof value === "object" && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null && value !== "" && value !== 0;

function mergedEnvironment(image: readonly string[], own: readonly string[]): readonly string[] {
  const nameOf = (text: string): string => text.split("=")[0] ?? "";
  const names = new Set(own.map(nameOf));
  return [...own.filter((text) => text.includes("=")), ...image.filter((text) => !names.has(nameOf(text)))];
}

/** The program and its words, as far as image and client say. */
function commandOf(
  { imageConfig }: Pick<ContainerRecord, "imageConfig">,
  request: ContainerRequest,
): readonly string[] {
  const image = parseCreateBody(imageConfig);
  const cmd = request.cmd ?? (request.entrypoint === undefined ? image.cmd : undefined) ?? [];
  return [...(request.entrypoint ?? image.entrypoint ?? []), ...cmd];
}

export const labelsOf = (
  { imageConfig }: ContainerRecord,
  { labels }: ContainerRequest,
): Readonly<Record<string, string>> => ({
  ...textsAt(imageConfig, "Labels"),
  ...labels,
});

const networkMode = ({ networkMode: mode }: ContainerRequest): string =>
  mode === "default" || mode === "" ? "bridge" : mode;

function networksOf({ record, pod, state }: ContainerView, { networkId }: ViewContext): JsonObject {
  const address = state.name === "running" ? (pod?.status?.podIP ?? "") : "";
  return Object.fromEntries(
    Object.entries(record.networks).map(([name, aliases]) => [
      name,
      {
        IPAMConfig: null,
        Links: null,
        Aliases: aliases,
        MacAddress: "",
        NetworkID: networkId(name),
        EndpointID: state.name === "running" ? record.id : "",
        Gateway: "",
        IPAddress: address,
        IPPrefixLen: address === "" ? 0 : 32,
        IPv6Gateway: "",
        GlobalIPv6Address: "",
        GlobalIPv6PrefixLen: 0,
        DriverOpts: null,
        DNSNames: [record.name, ...aliases, record.id.slice(0, 12)],
      },
    ]),
  );
}

/** For `docker ps`: the ports that are published, and those that are only named. */
function portList(record: ContainerRecord, request: ContainerRequest): readonly object[] {
  const map = portMap(record, request);
  return Object.entries(map).flatMap(([key, bindings]): readonly object[] => {
    const [port = "", Type = "tcp"] = key.split("/");
    const PrivatePort = Number(port);
    if (bindings === null) return [{ PrivatePort, Type }];
    return bindings.map(({ HostIp, HostPort }) => ({ IP: HostIp, PrivatePort, PublicPort: Number(HostPort), Type }));
  });
}

function portMap(
  { hostPorts, imageConfig }: ContainerRecord,
  { exposedPorts }: ContainerRequest,
): Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>> {
  const named = [...exposedPorts, ...parseCreateBody(imageConfig).exposedPorts].map((key) => [key, null] as const);
  const published = Object.entries(hostPorts).map(
    ([key, list]) =>
      [
        key,
        list.map(({ hostIp, hostPort }) => ({
          HostIp: hostIp === "" ? "0.0.0.0" : hostIp,
          HostPort: String(hostPort),
        })),
      ] as const,
  );
  return Object.fromEntries([...named, ...published]);
}

function mountsOf(
  record: ContainerRecord,
  { mounts }: ContainerRequest,
  { volumePath }: ViewContext,
): readonly object[] {
  return mounts.map(({ type, source, target, readOnly }) => {
    const name = record.volumes[target] ?? source;
    const place =
      type === "volume"
        ? { Name: name, Source: volumePath(name), Driver: "local" }
        : { Source: type === "tmpfs" ? "" : source };
    return {
      Type: type,
      ...place,
      Destination: target,
      Mode: "",
      RW: !readOnly,
      Propagation: type === "bind" ? "rprivate" : "",
    };
  });
}
