import { type Descriptor, mediaType, type StoredLayer } from "@shallop/sdk/image";
import { configAfter, type ConfigInstruction, withVariable, workingDirectory } from "../../build/config-step.ts";
import {
  type ContainerConfig,
  type HistoryEntry,
  type ImageDescription,
  writeImageDescription,
} from "../../build/container-config.ts";
import { expandWord } from "../../build/dockerfile/expand.ts";
import type { Instruction } from "../../build/dockerfile/instruction.ts";
import { parseTrigger } from "../../build/dockerfile/parse.ts";
import type { ContainerRequest } from "../containers/create-body.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { ImageLibrary } from "../images/image-library.ts";

/** As many instructions as somebody types on a command line. */
const changesMax = 100;

/** A config after instructions of a Dockerfile, as `--change` has them. Pure. @throws DockerFault BAD_REQUEST, DockerfileFault */
export function withInstructions(config: ContainerConfig, texts: readonly string[]): ContainerConfig {
  if (texts.length > changesMax) throw new DockerFault("BAD_REQUEST", `more than ${String(changesMax)} changes`);
  return texts.reduce((before, text) => {
    const instruction = parseTrigger(text, 1);
    const lookup = (name: string): string | undefined =>
      before.env.find((variable) => variable.startsWith(`${name}=`))?.slice(name.length + 1);
    const expansion = { escape: "\\", lookup, line: 1 };
    if (instruction.kind === "workdir")
      return { ...before, workingDir: workingDirectory(before.workingDir, expandWord(instruction.value, expansion)) };
    if (isConfigInstruction(instruction)) return configAfter(before, instruction, expansion, true);
    throw new DockerFault("BAD_REQUEST", `${instruction.kind.toUpperCase()} is not a valid change command`);
  }, config);
}

const otherKinds: readonly string[] = ["from", "run", "copy", "add", "arg", "workdir", "maintainer"];
const isConfigInstruction = (instruction: Instruction): instruction is ConfigInstruction =>
  !otherKinds.includes(instruction.kind);

/** An image's config with what a container of it was asked to be. Pure. */
export function configOfContainer(image: ContainerConfig, request: ContainerRequest): ContainerConfig {
  const { entrypoint, cmd, env, labels, user, workingDir, exposedPorts, stopSignal } = request;
  const pairs = env.flatMap((text): (readonly [string, string])[] => {
    const at = text.indexOf("=");
    return at > 0 ? [[text.slice(0, at), text.slice(at + 1)]] : [];
  });
  const { cmd: imageCmd, ...rest } = image;
  const words = cmd ?? (entrypoint === undefined ? imageCmd : undefined);
  return {
    ...rest,
    ...(words === undefined ? {} : { cmd: words }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    env: pairs.reduce(withVariable, image.env),
    labels: { ...image.labels, ...labels },
    exposedPorts: [...new Set([...image.exposedPorts, ...exposedPorts])],
    ...(user === "" ? {} : { user }),
    ...(workingDir === "" ? {} : { workingDir }),
    ...(stopSignal === "" ? {} : { stopSignal }),
  };
}

export interface Step extends HistoryEntry {
  /** Undefined: the step changes no file. */
  readonly layer: StoredLayer | undefined;
}

/** Stores config and manifest of an image with one more step; its layers are in the store. @returns its manifest */
export async function storeImage(
  library: ImageLibrary,
  image: { readonly description: ImageDescription; readonly layers: readonly StoredLayer[] },
  { layer, ...entry }: Step,
): Promise<Descriptor> {
  const createdAt = new Date(library.clock.wallMs()).toISOString();
  const layers = layer === undefined ? image.layers : [...image.layers, layer];
  const step = { created: createdAt, ...entry, ...(layer === undefined ? { empty_layer: true } : {}) };
  const description = {
    ...image.description,
    diffIds: layers.map(({ diffId }) => diffId),
    history: [...image.description.history, step],
  };
  const config = await library.store.put(writeImageDescription(description, createdAt), mediaType.config);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
  };
  return library.store.put(Buffer.from(JSON.stringify(manifest)), mediaType.manifest);
}
