import type { ComponentSurface } from "./component-binary.ts";

/** Releases of an interface that are served by one implementation: 0.2 and 0.3 have different ones under the same names. */
export type WasiFamily = "0.2" | "0.3";

const cli = [
  ...["environment", "exit", "stderr", "stdin", "stdout"],
  ...["terminal-input", "terminal-output", "terminal-stderr", "terminal-stdin", "terminal-stdout"],
].map((name) => `cli/${name}`);
const random = ["random/insecure", "random/insecure-seed", "random/random"];
const filesystem = ["filesystem/preopens", "filesystem/types"];

/** What this node provides of each family. */
export const providedInterfaces: Readonly<Record<WasiFamily, ReadonlySet<string>>> = {
  "0.2": wasi([
    ...cli,
    ...["monotonic-clock", "timezone", "wall-clock"].map((name) => `clocks/${name}`),
    ...filesystem,
    ...["http/outgoing-handler", "http/types"],
    ...["io/error", "io/poll", "io/streams"],
    ...random,
    ...["instance-network", "ip-name-lookup", "network", "tcp", "tcp-create-socket", "udp", "udp-create-socket"].map(
      (name) => `sockets/${name}`,
    ),
  ]),
  "0.3": wasi([
    ...cli,
    "cli/types",
    ...["monotonic-clock", "system-clock", "timezone", "types"].map((name) => `clocks/${name}`),
    ...filesystem,
    ...["http/client", "http/types"],
    ...random,
    ...["sockets/ip-name-lookup", "sockets/types"],
  ]),
};

function wasi(paths: readonly string[]): ReadonlySet<string> {
  return new Set(paths.map((path) => `wasi:${path}`));
}

// Drafts of 0.3.0 that have the shapes of the release, which toolchains of their time still name. Older ones have others:
// errors without `other`, functions that return a result where the release returns a future.
const equalDrafts: ReadonlySet<string> = new Set(["0.3.0-rc-2026-03-15"]);

/** What a component is wanted for: to answer requests, or to be run once. */
export type Purpose = "serve" | "run";

/** What will do: one of them, or whichever the component is made for. One that can do both serves. */
export type WantedPurpose = Purpose | "either";

export const purposesOf = (wanted: WantedPurpose): readonly Purpose[] =>
  wanted === "either" ? ["serve", "run"] : [wanted];

/** The interface that a component exports for it, by family. */
export const entryInterface: Readonly<Record<Purpose, Readonly<Record<WasiFamily, string>>>> = {
  serve: { "0.2": "wasi:http/incoming-handler", "0.3": "wasi:http/handler" },
  run: { "0.2": "wasi:cli/run", "0.3": "wasi:cli/run" },
};

/** The function of it that is called. */
export const entryFunction: Readonly<Record<Purpose, string>> = { serve: "handle", run: "run" };

/** The family of a release that this node has; undefined for all others, and for interfaces without a version. */
export const servedFamily = (name: string): WasiFamily | undefined => split(name).family;

/** The family by which a component exports what it is wanted for; undefined when `exported` is something else. */
export function entryFamily(exported: string, purpose: Purpose): WasiFamily | undefined {
  const { path, family } = split(exported);
  return family !== undefined && entryInterface[purpose][family] === path ? family : undefined;
}

/** `wasi:http/types@0.2.3` → its parts; `family` is undefined when no release of it is known here. */
function split(name: string): {
  readonly path: string;
  readonly version: string;
  readonly family: WasiFamily | undefined;
} {
  const at = name.lastIndexOf("@");
  if (at === -1) return { path: name, version: "", family: undefined };
  const version = name.slice(at + 1);
  return { path: name.slice(0, at), version, family: familyOfVersion(version) };
}

function familyOfVersion(version: string): WasiFamily | undefined {
  if (equalDrafts.has(version)) return "0.3";
  // A release that is newer than ours may have functions that it lacks: each that a component imports is looked for, and
  // its type compared, before it is accepted (wasi-types.ts).
  const [, family] = /^(0\.[23])\.\d+$/.exec(version) ?? [];
  return family === "0.2" || family === "0.3" ? family : undefined;
}

export interface Requirements {
  /** Imports that this node does not provide, as the component writes them. */
  readonly unmet: readonly string[];
  /** The export that is called, as the component writes it; undefined when it has none. */
  readonly entry: string | undefined;
  /** Version of WASI that the entry is written for. */
  readonly wasiVersion: string | undefined;
}

/** Compares what a component wants with what this node has. */
export function checkRequirements(surface: ComponentSurface, purpose: Purpose = "serve"): Requirements {
  const unmet = surface.imports.filter((name) => {
    const { path, family } = split(name);
    return family === undefined || !providedInterfaces[family].has(path);
  });
  const entries = surface.exports.filter((name) => entryFamily(name, purpose) !== undefined);
  // One that serves both is wanted for what it has newest.
  const entry = entries.find((name) => entryFamily(name, purpose) === "0.3") ?? entries[0];
  return { unmet, entry, wasiVersion: entry === undefined ? undefined : split(entry).version };
}
