import type { Clock } from "@shallop/sdk/internal";
import type { Filters } from "./http/call.ts";
import { DockerFault } from "./http/docker-fault.ts";

export type EventType = "container" | "image" | "network" | "volume";

/** Something that happened, as `docker events` tells it. */
export interface DockerEvent {
  readonly Type: EventType;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "local";
  readonly time: number;
  readonly timeNano: number;
  /** What clients before API 1.22 read. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
}

/** As many as Docker keeps, for `since`. */
const keptMax = 256;
/** Each client that listens; one that is further behind than the socket holds is let go. */
const listenersMax = 256;

/** What has happened lately, and who is told what happens. */
export class EventLog {
  readonly #clock: Clock;
  readonly #kept: DockerEvent[] = [];
  readonly #listeners = new Set<(event: DockerEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit(Type: EventType, Action: string, ID: string, Attributes: Readonly<Record<string, string>> = {}): void {
    const wallMs = this.#clock.wallMs();
    const from = Attributes["image"];
    const event: DockerEvent = {
      ...(Type === "container" || Type === "image" ? { status: Action, id: ID } : {}),
      ...(Type === "container" && from !== undefined ? { from } : {}),
      ...{ Type, Action, Actor: { ID, Attributes }, scope: "local" },
      time: Math.floor(wallMs / 1000),
      timeNano: wallMs * 1_000_000,
    };
    this.#kept.push(event);
    if (this.#kept.length > keptMax) this.#kept.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Those after a time, in milliseconds since the epoch. */
  since(wallMs: number): readonly DockerEvent[] {
    return this.#kept.filter(({ timeNano }) => timeNano / 1_000_000 >= wallMs);
  }

  /** Calls back with each from now on. @returns undefined when too many listen */
  listen(listener: (event: DockerEvent) => void): Disposable | undefined {
    if (this.#listeners.size >= listenersMax) return undefined;
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

/** Does an event pass the filters of `docker events`? Names of one filter are alternatives, filters add up. */
export function eventPasses(event: DockerEvent, filters: Filters): boolean {
  const { Attributes, ID } = event.Actor;
  const isNamed = (type: EventType, name: string): boolean =>
    event.Type === type && (ID === name || (name.length >= 4 && ID.startsWith(name)) || Attributes["name"] === name);
  const tests: Readonly<Record<FilterName, (value: string) => boolean>> = {
    type: (value) => event.Type === value,
    event: (value) => event.Action === value || event.Action.startsWith(`${value}:`),
    scope: (value) => event.scope === value,
    container: (value) => isNamed("container", value),
    network: (value) => isNamed("network", value),
    volume: (value) => isNamed("volume", value),
    image: (value) => isNamed("image", value) || Attributes["image"] === value,
    label: (value) => {
      const [name = "", ...rest] = value.split("=");
      return Object.hasOwn(Attributes, name) && (rest.length === 0 || Attributes[name] === rest.join("="));
    },
  };
  return [...filters].every(([name, values]) => {
    const passes = (tests as Readonly<Record<string, (value: string) => boolean>>)[name] ?? (() => false);
    return values.length === 0 || values.some((value) => passes(value));
  });
}

const filterNames = ["type", "event", "scope", "container", "network", "volume", "image", "label"] as const;
type FilterName = (typeof filterNames)[number];
/** Of what only a swarm or a daemon has: known words, which no event here has. */
const emptyFilters: readonly string[] = ["config", "daemon", "node", "plugin", "secret", "service"];

/** @throws DockerFault BAD_REQUEST */
export function checkEventFilters(filters: Filters): void {
  const known: readonly string[] = [...filterNames, ...emptyFilters];
  const strange = [...filters.keys()].find((name) => !known.includes(name));
  if (strange !== undefined) throw new DockerFault("BAD_REQUEST", `invalid filter '${strange.slice(0, 60)}'`);
}

/** `since` and `until`: seconds since the epoch with a fraction, or RFC 3339. In milliseconds; undefined when it is no time. */
export function eventTimeMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  return Number.isFinite(ms) ? ms : undefined;
}
