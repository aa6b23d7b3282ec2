import type { ComponentSurface } from "./component-binary.ts";

/** What this node provides, as families: every 0.2 release of an interface is served by the newest. */
export const providedInterfaces: ReadonlySet<string> = new Set(
  [
    ...["environment", "exit", "stderr", "stdin", "stdout"].map((name) => `cli/${name}`),
    ...["input", "output", "stderr", "stdin", "stdout"].map((name) => `cli/terminal-${name}`),
    "clocks/monotonic-clock",
    "clocks/timezone",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "http/outgoing-handler",
    "http/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    ...["instance-network", "ip-name-lookup", "network", "tcp", "tcp-create-socket", "udp", "udp-create-socket"].map(
      (name) => `sockets/${name}`,
    ),
  ].map((path) => `wasi:${path}`),
);

// The newest 0.2 release whose interfaces this node knows whole. A later one may have functions that it lacks.
const newestPatch = 12;

/** What a component is wanted for: to answer requests, or to be run once. */
export type Purpose = "serve" | "run";

/** The interface that a component exports for it. */
export const entryInterface: Readonly<Record<Purpose, string>> = {
  serve: "wasi:http/incoming-handler",
  run: "wasi:cli/run",
};

/** `wasi:http/types@0.2.3` → name and version. */
function split(name: string): { readonly path: string; readonly version: string } {
  const at = name.lastIndexOf("@");
  return at === -1 ? { path: name, version: "" } : { path: name.slice(0, at), version: name.slice(at + 1) };
}

function isServed02(version: string): boolean {
  const parts = /^0\.2\.(\d+)$/.exec(version);
  return parts !== null && Number(parts[1]) <= newestPatch;
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
    const { path, version } = split(name);
    return !providedInterfaces.has(path) || !isServed02(version);
  });
  const entry = surface.exports.find((name) => {
    const { path, version } = split(name);
    return path === entryInterface[purpose] && isServed02(version);
  });
  return { unmet, entry, wasiVersion: entry === undefined ? undefined : split(entry).version };
}
