import { parseDurationMs } from "@shallop/sdk/internal";
import type { Filters } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { type ContainerView, labelsOf } from "./container-json.ts";
import type { Containers } from "./containers.ts";
import { parseCreateBody } from "./create-body.ts";

interface Filtering {
  readonly containers: Containers;
  readonly clock: { wallMs(): number };
}

type Test = (container: ContainerView, value: string, filtering: Filtering) => boolean;

/** `a` or `a=b`, among labels. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

const labels = ({ record }: ContainerView): Readonly<Record<string, string>> =>
  labelsOf(record, parseCreateBody(record.body));

const publishes = (value: string, list: readonly string[]): boolean => {
  const [ports = "", protocol = "tcp"] = value.split("/");
  const [from = "", to = from] = ports.split("-");
  return list.some((key) => {
    const [port, own = "tcp"] = key.split("/");
    return own === protocol && Number(port) >= Number(from) && Number(port) <= Number(to);
  });
};

const tests: Readonly<Record<string, Test>> = {
  id: ({ record }, value) => record.id.startsWith(value),
  // As Docker: part of a name is enough, and `^/web$` is all of it.
  name: ({ record }, value) => matchesName(record.name, value),
  label: (container, value) => hasLabel(labels(container), value),
  "label!": (container, value) => !hasLabel(labels(container), value),
  status: ({ state }, value) => state.name === value,
  exited: ({ state }, value) => state.name === "exited" && String(state.ended?.exitCode ?? 0) === value,
  ancestor: ({ record }, value) =>
    record.imageName === value ||
    record.imageName === `${value}:latest` ||
    record.imageName.replace(/:[^:/]+$/, "") === value ||
    record.imageId.replace("sha256:", "").startsWith(value.replace("sha256:", "")),
  network: ({ record }, value) => Object.hasOwn(record.networks, value),
  volume: ({ record }, value) =>
    Object.values(record.volumes).includes(value) ||
    parseCreateBody(record.body).mounts.some(({ source, target }) => source === value || target === value),
  health: ({ state }, value) => state.health === value,
  publish: ({ record }, value) => publishes(value, Object.keys(record.hostPorts)),
  expose: ({ record }, value) => publishes(value, parseCreateBody(record.body).exposedPorts),
  before: ({ record }, value, { containers }) => record.createdAt < containers.find(value).record.createdAt,
  since: ({ record }, value, { containers }) => record.createdAt > containers.find(value).record.createdAt,
  until: ({ record }, value, { clock }) => Date.parse(record.createdAt) < untilMs(value, clock.wallMs()),
};

/** Filters whose values are of a closed list, Docker's. */
const choices: Readonly<Record<string, readonly string[]>> = {
  status: ["created", "running", "paused", "restarting", "removing", "exited", "dead"],
  health: ["none", "starting", "healthy", "unhealthy"],
};

/** Of several values of one filter one is enough; of labels all; filters add up. @throws DockerFault BAD_REQUEST */
export function matchesFilters(container: ContainerView, filters: Filters, filtering: Filtering): boolean {
  return [...filters].every(([name, values]) => {
    const test = tests[name];
    if (test === undefined) throw new DockerFault("BAD_REQUEST", `invalid filter '${name.slice(0, 60)}'`);
    const strange = values.find((value) => choices[name]?.includes(value) === false);
    if (strange !== undefined) throw new DockerFault("BAD_REQUEST", `invalid filter '${name}=${strange.slice(0, 60)}'`);
    const holds = (value: string): boolean => test(container, value, filtering);
    return values.length === 0 || (name.startsWith("label") ? values.every(holds) : values.some(holds));
  });
}

/** Patterns of clients are plain names, at most with `^`, `/` and `$`: no regular expression of anybody is run here. */
export function matchesName(name: string, pattern: string): boolean {
  const isBegin = pattern.startsWith("^") || pattern.startsWith("/");
  const isEnd = pattern.endsWith("$");
  const text = pattern.replace(/^\^?\/?/, "").replace(/\$$/, "");
  if (isBegin && isEnd) return name === text;
  if (isBegin) return name.startsWith(text);
  return isEnd ? name.endsWith(text) : name.includes(text);
}

function untilMs(value: string, nowMs: number): number {
  const ageMs = parseDurationMs(value);
  const ms =
    ageMs === undefined ? (/^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value)) : nowMs - ageMs;
  if (Number.isFinite(ms)) return ms;
  throw new DockerFault("BAD_REQUEST", `until=${value.slice(0, 60)} is neither a duration nor a time`);
}
