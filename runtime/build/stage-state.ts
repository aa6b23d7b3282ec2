import { descriptionKey, type HistoryEntry, type ImageDescription } from "./container-config.ts";
import type { StoredLayer } from "@shallop/sdk/image";
import { DockerfileFault } from "@shallop/sdk/wire";
import { layersMax } from "./base-images.ts";
import { variableOf } from "./config-step.ts";
import type { Expansion, Lookup } from "./dockerfile/expand.ts";

/** An image on its way: what a stage has come to. */
export interface ImageState {
  readonly description: ImageDescription;
  /** The base first. */
  readonly layers: readonly StoredLayer[];
}

/** The image with one more line of history, and one more layer if there is one. @throws DockerfileFault BASE_INVALID */
export function withStep(
  { description, layers }: ImageState,
  createdBy: string,
  created: string,
  layer: StoredLayer | undefined,
): ImageState {
  if (layer !== undefined && layers.length >= layersMax)
    throw new DockerfileFault(
      "BASE_INVALID",
      `this would be layer ${layersMax + 1}; an image has at most ${layersMax}`,
    );
  const { author } = description;
  const entry: HistoryEntry = {
    created,
    created_by: createdBy,
    ...(author === undefined ? {} : { author }),
    ...(layer === undefined ? { empty_layer: true } : {}),
  };
  const history = [...description.history, entry];
  if (layer === undefined) return { layers, description: { ...description, history } };
  return {
    layers: [...layers, layer],
    description: { ...description, history, diffIds: [...description.diffIds, layer.diffId] },
  };
}

/** Names all that later steps can depend on. */
export const stateKey = ({ description }: ImageState): string => descriptionKey(description);

/** What is known to `$name` in a stage: the environment before the arguments. */
export class Scope {
  readonly escape: string;
  /** Of ARG, with the value that each has. */
  readonly args = new Map<string, string>();

  constructor(escape: string) {
    this.escape = escape;
  }

  expansion(state: ImageState, line: number): Expansion {
    const { env } = state.description.config;
    const lookup: Lookup = (name) => variableOf(env, name) ?? this.args.get(name);
    return { escape: this.escape, lookup, line };
  }

  /** Arguments that a program of RUN gets: all that the environment does not have. */
  runArgs(state: ImageState): readonly (readonly [string, string])[] {
    const { env } = state.description.config;
    return [...this.args].filter(([name]) => variableOf(env, name) === undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Arguments of every build: they reach a machine's proxies, and change nothing that is built. */
const proxyNames = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];
const proxyArgs: ReadonlySet<string> = new Set(proxyNames.flatMap((name) => [name, name.toUpperCase()]));

export const isProxyArg = (name: string): boolean => proxyArgs.has(name);
