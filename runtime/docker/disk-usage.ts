import { stat } from "node:fs/promises";
import { ImageFault, type StoredImage } from "@shallop/sdk/image";
import { containerSummary, type ViewContext } from "./containers/container-json.ts";
import { type Containers, type DockerContainer } from "./containers/containers.ts";
import { upperDirectory } from "./containers/kept-root.ts";
import { type Call, ok, type Reply } from "./http/call.ts";
import { DockerFault } from "./http/docker-fault.ts";
import type { Routes } from "./http/router.ts";
import { buildCacheId } from "./images/build-routes.ts";
import type { ImageLibrary } from "./images/image-library.ts";
import { imageSummary } from "./images/image-json.ts";
import { directoryBytes } from "./volumes/directory-bytes.ts";
import { usersOfVolume, volumeJson } from "./volumes/volume-routes.ts";
import type { Volumes } from "./volumes/volumes.ts";

export interface DiskUsageParts {
  readonly library: ImageLibrary;
  readonly containers: Containers;
  readonly volumes: Volumes;
  readonly builderDirectory: string;
  /** Of the node agent: `DATA/node`. */
  readonly nodeDirectory: string;
  readonly context: () => ViewContext;
}

const types = ["container", "image", "volume", "build-cache"] as const;

/** `docker system df`. */
export function diskUsageRoutes(parts: DiskUsageParts): Routes {
  return { "GET /system/df": (call) => diskUsage(parts, call) };
}

/** Of the types that are asked for, all by default; the others are null. */
async function diskUsage(parts: DiskUsageParts, call: Call): Promise<Reply> {
  const asked = call.query.getAll("type");
  const strange = asked.find((type) => !types.some((one) => one === type));
  if (strange !== undefined)
    throw new DockerFault("BAD_REQUEST", `unknown object type: ${JSON.stringify(strange.slice(0, 40))}`);
  const wants = (type: (typeof types)[number]): boolean => asked.length === 0 || asked.includes(type);
  const images = await parts.library.all();
  return ok({
    LayersSize: wants("image") ? layersBytes(images) : 0,
    Images: wants("image") ? await imagesUsage(parts, images) : null,
    Containers: wants("container") ? await containersUsage(parts, images) : null,
    Volumes: wants("volume") ? await volumesUsage(parts) : null,
    BuildCache: wants("build-cache") ? await buildCacheUsage(parts.builderDirectory) : null,
  });
}

/** Each blob once, however many images have it. Pure. */
const layersBytes = (images: readonly Pick<StoredImage, "blobs">[]): number =>
  [...new Map(images.flatMap(({ blobs }) => [...blobs])).values()].reduce((sum, size) => sum + size, 0);

/** Bytes of what another image has, too, in the order of the images. Pure. */
export function sharedBytes<Digest>(
  images: readonly { readonly blobs: ReadonlyMap<Digest, number> }[],
): readonly number[] {
  const users = new Map<Digest, number>();
  for (const { blobs } of images) for (const digest of blobs.keys()) users.set(digest, (users.get(digest) ?? 0) + 1);
  return images.map(({ blobs }) =>
    [...blobs].reduce((sum, [digest, size]) => sum + ((users.get(digest) ?? 0) > 1 ? size : 0), 0),
  );
}

async function imagesUsage(
  { library, containers }: DiskUsageParts,
  images: readonly StoredImage[],
): Promise<readonly object[]> {
  const shared = sharedBytes(images);
  const told: object[] = [];
  for (const [index, image] of images.entries()) {
    const users = containers.usersOf(image, { running: false }).length;
    // What only half is here, or is no image, takes room (LayersSize), and is not shown.
    const summary = await imageSummary(library, image, users).catch((error: unknown) => {
      if (error instanceof ImageFault) return undefined;
      throw error;
    });
    if (summary !== undefined) told.push({ ...summary, SharedSize: shared[index] });
  }
  return told;
}

async function containersUsage(
  { containers, nodeDirectory, context }: DiskUsageParts,
  images: readonly StoredImage[],
): Promise<readonly object[]> {
  const now = context();
  const told: object[] = [];
  for (const container of containers.all()) {
    told.push({ ...containerSummary(container, now), ...(await containerSizes(container, { nodeDirectory, images })) });
  }
  return told;
}

/** What a container has written into its own root file system, and that with the image below it. */
export async function containerSizes(
  { record }: DockerContainer,
  { nodeDirectory, images }: { readonly nodeDirectory: string; readonly images: readonly StoredImage[] },
): Promise<{ readonly SizeRw: number; readonly SizeRootFs: number }> {
  const image = images.find(({ target }) => target.digest === record.imageId);
  const SizeRw = await directoryBytes(upperDirectory(nodeDirectory, record));
  return { SizeRw, SizeRootFs: SizeRw + (image === undefined ? 0 : layersBytes([image])) };
}

async function volumesUsage({ volumes, containers }: DiskUsageParts): Promise<readonly object[]> {
  const told: object[] = [];
  for (const volume of volumes.all()) {
    const RefCount = usersOfVolume({ containers }, volume).length;
    const Size = await directoryBytes(volumes.path(volume.name));
    told.push({ ...volumeJson(volumes, volume), UsageData: { RefCount, Size } });
  }
  return told;
}

/** All that builds keep, unpacked layers among it, as one thing: it goes together (`docker builder prune`). */
async function buildCacheUsage(builderDirectory: string): Promise<readonly object[]> {
  const Size = await directoryBytes(builderDirectory);
  if (Size === 0) return [];
  const what = { ID: buildCacheId, Type: "regular", Description: "layers and steps of docker build" };
  const { birthtime, mtime } = await stat(builderDirectory);
  const times = { CreatedAt: birthtime.toISOString(), LastUsedAt: mtime.toISOString() };
  return [{ ...what, ...times, InUse: false, Shared: false, Size, UsageCount: 0 }];
}
