import { randomBytes } from "node:crypto";
import { dig, isJsonObject, objectAt } from "@shallop/sdk/api";
import {
  formatPlatform,
  formatReference,
  type ImageReference,
  pinned,
  repositoryName,
  registryHost,
  type StoredImage,
  type Variant,
} from "@shallop/sdk/image";
import { type Call, created, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { imageFacts } from "../images/image-facts.ts";
import type { ImageLibrary } from "../images/image-library.ts";
import { checkRunnable, platformAsked } from "../images/platforms.ts";
import { push } from "../images/transfer.ts";
import type { Networks } from "../networks/networks.ts";
import type { Volumes } from "../volumes/volumes.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { Containers } from "./containers.ts";
import { checkRequest } from "./check-request.ts";
import { checkContainerName, type ContainerRequest, parseCreateBody, volumeWithoutName } from "./create-body.ts";
import { warningsOf } from "./create-warnings.ts";
import { freeName } from "./names.ts";
import { podOf, type Machine } from "./pod-spec.ts";

export interface CreateParts {
  readonly library: ImageLibrary;
  readonly containers: Containers;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly machine: Machine;
  /** Gives its empty volumes what the image has there. */
  fillVolumes(record: ContainerRecord, signal: AbortSignal): Promise<void>;
}

/** Images whose own name is not one of the built-in registry are kept there under this. */
const borrowedPrefix = "docker";

/** `POST /containers/create`. @throws DockerFault */
export async function createContainer(parts: CreateParts, call: Call): Promise<Reply> {
  const { library, containers, networks, volumes, machine } = parts;
  const body = await call.body();
  const request = parseCreateBody(body);
  await checkRequest(request, machine);
  const name = call.text("name");
  const id = randomBytes(32).toString("hex");
  const image = await library.find(request.image);
  const { config, variant, variants } = await imageFacts(library, image.target);
  const asked = platformAsked(call.text("platform"));
  checkRunnable(
    request.image,
    variants.map((one) => one.platform),
    asked,
  );
  const record: ContainerRecord = {
    id,
    name:
      name === undefined
        ? freeName((text) => containers.named(text) !== undefined)
        : checkContainerName(name.replace(/^\//, "")),
    createdAt: new Date(library.clock.wallMs()).toISOString(),
    body: withAllPorts(withImageVolumes(body, config, request), config),
    imageName: request.image,
    imageId: image.target.digest,
    podImage: await publish(library, image, call.signal),
    imageConfig: config,
    hasWasmCommand: variants.some(isWasmCommand),
    hasNative: variant?.kind === "native",
    platform: asked === undefined ? "" : formatPlatform(asked),
    volumes: {},
    hostPorts: {},
    networks: networks.wanted(request),
    stopped: false,
  };
  // What cannot be is said now, and not at the start.
  podOf(record, machine);
  const container = await containers.add(record);
  try {
    await containers.update(container, {
      volumes: await volumes.forContainer(id, parseCreateBody(record.body).mounts),
    });
    await parts.fillVolumes(container.record, call.signal);
  } catch (error) {
    await containers.remove(container);
    throw error;
  }
  return created({ Id: id, Warnings: warningsOf(body) });
}

const isWasmCommand = (variant: Variant): boolean =>
  variant.kind === "wasm" && variant.component?.exports.some((name) => name.startsWith("wasi:cli/run@")) === true;

/** `-P`: what the image and the client expose is published at ports that are free. */
function withAllPorts(body: ContainerRecord["body"], config: ContainerRecord["body"]): ContainerRecord["body"] {
  const host = objectAt(body, "HostConfig");
  if (dig(host, "PublishAllPorts") !== true) return body;
  const bound = objectAt(host, "PortBindings");
  const exposed = [...parseCreateBody(config).exposedPorts, ...parseCreateBody(body).exposedPorts];
  const open = [...new Set(exposed)].filter((port) => !Object.hasOwn(bound, port));
  const PortBindings = { ...bound, ...Object.fromEntries(open.map((port) => [port, [{ HostIp: "", HostPort: "" }]])) };
  return { ...body, HostConfig: { ...host, PortBindings } };
}

/** Paths that the image declares as volumes and nobody mounts something on get one without a name each. */
function withImageVolumes(
  body: ContainerRecord["body"],
  config: ContainerRecord["body"],
  { mounts }: ContainerRequest,
): ContainerRecord["body"] {
  const taken = new Set(mounts.map(({ target }) => target));
  const open = Object.keys(objectAt(config, "Volumes")).map((target) => volumeWithoutName(target).target);
  const wanted = open.filter((target) => !taken.has(target));
  if (wanted.length === 0) return body;
  const volumes = isJsonObject(body["Volumes"]) ? body["Volumes"] : {};
  return { ...body, Volumes: { ...volumes, ...Object.fromEntries(wanted.map((target) => [target, {}])) } };
}

/**
 * Nodes pull images from registries: the image is put into the built-in one, under its own name where that belongs there, and
 * named by its digest. @throws DockerFault FAILED
 */
async function publish(library: ImageLibrary, image: StoredImage, signal: AbortSignal): Promise<string> {
  const reference = placeOf(library, image);
  try {
    const digest = await push(
      library,
      library.client(),
      { reference: pinned(reference, image.target.digest), target: image.target },
      { signal },
    );
    await library.shareWithRegistry(image);
    return formatReference(pinned(reference, digest));
  } catch (error) {
    throw new DockerFault("FAILED", "the image could not be put into the built-in registry, from which nodes pull it", {
      cause: error,
    });
  }
}

function placeOf(library: ImageLibrary, { tags }: StoredImage): ImageReference {
  const registry = registryHost(library.builtinRegistry);
  const names = tags.map(({ name }) => library.reference(name));
  const own = names.find((name) => name.registry === registry);
  if (own !== undefined) return own;
  const [first] = names;
  const path =
    first === undefined
      ? "untagged"
      : `${first.registry.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}/${first.repository}`;
  return { registry, repository: repositoryName(`${borrowedPrefix}/${path}`) };
}
