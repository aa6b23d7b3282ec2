import type { StoredImage } from "@shallop/sdk/image";
import {
  formatReference,
  ImageFault,
  type ImageReference,
  matchesAll,
  matchesReference,
  parseFilters,
  type Platform,
  prunableImages,
  pruneImages,
  readArchive,
  referencePatterns,
  removeImageByName,
  retagged,
  writeArchive,
} from "@shallop/sdk/image";
import { pipeline } from "node:stream/promises";
import { imageArchitecture } from "../../image/choose.ts";
import type { EventLog } from "../event-log.ts";
import type { FilesParts } from "../files/container-files.ts";
import { importImage } from "../files/import-image.ts";
import { type Call, created, type Filters, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { streaming } from "../http/json-stream.ts";
import type { Routes } from "../http/router.ts";
import { imageFacts } from "./image-facts.ts";
import { imageHistory, imageInspection, imageSummary } from "./image-json.ts";
import { type ImageLibrary, noSuchImage } from "./image-library.ts";
import { isAsked, noSuchPlatform, platformAsked } from "./platforms.ts";
import { requestCredentials } from "./registry-login.ts";
import { pull, push, type Source } from "./transfer.ts";

/** What images need to know of containers. */
interface ImageUsers {
  /** Names of containers that were made from the image; with `running` those that run. */
  usersOf(image: StoredImage, options: { readonly running: boolean }): readonly string[];
}

export interface ImageParts extends FilesParts {
  readonly users: ImageUsers;
  readonly events: EventLog;
}

/** A repository with more tags is not pulled by `--all-tags`. */
const allTagsMax = 200;

export function imageRoutes(parts: ImageParts): Routes {
  const { library } = parts;
  return {
    "GET /images/json": (call) => listImages(parts, call),
    "POST /images/create": (call) =>
      call.text("fromSrc") === undefined ? pullImages(parts, call) : importImage(parts, call),
    "GET /images/search": () => {
      throw new DockerFault("UNSUPPORTED", "registries of the OCI specification cannot be searched");
    },
    "GET /images/get": (call) => saveImages(parts, call, call.query.getAll("names")),
    "POST /images/load": (call) => loadImages(parts, call),
    "POST /images/prune": (call) => prune(parts, call),
    "GET /images/:name(.+)/json": async (call) =>
      ok(await imageInspection(library, await library.find(call.param("name")))),
    "GET /images/:name(.+)/history": async (call) =>
      ok(await imageHistory(library, await library.find(call.param("name")))),
    "GET /images/:name(.+)/get": (call) => saveImages(parts, call, [call.param("name")]),
    "POST /images/:name(.+)/tag": (call) => tagImage(parts, call),
    "POST /images/:name(.+)/push": (call) => pushNamed(parts, call),
    "DELETE /images/:name(.+)": (call) => removeImage(parts, call),
  };
}

/** `reference=a` and its peers, as the command line has them. */
const filterTexts = (filters: Filters): readonly string[] =>
  [...filters].flatMap(([name, values]) => values.map((value) => `${name}=${value}`));

async function listImages({ library, users }: ImageParts, call: Call): Promise<Reply> {
  const images = await library.all();
  const texts = filterTexts(call.filters()).map((text) => text.replace(/^(dangling)=1$/, "$1=true"));
  const filters = parseFilters(texts, { home: library, images, nowMs: library.clock.wallMs() });
  const patterns = referencePatterns(texts);
  const shown: object[] = [];
  for (const image of images.toSorted((a, b) => b.writtenMs - a.writtenMs)) {
    const isListed = image.tags.length > 0 || call.flag("all") || texts.includes("dangling=true");
    if (!isListed || !(await matchesAll(image, filters))) continue;
    const tags = image.tags.filter(({ name }) => patterns.every((pattern) => matchesReference(name, pattern)));
    // What only half is here, or is no image, is no reason to show none.
    const summary = await imageSummary(
      library,
      { ...image, tags },
      users.usersOf(image, { running: false }).length,
    ).catch((error: unknown) => {
      if (error instanceof ImageFault) return undefined;
      throw error;
    });
    if (summary !== undefined) shown.push(summary);
  }
  return ok(shown);
}

async function pullImages({ library, events }: ImageParts, call: Call): Promise<void> {
  const from = call.text("fromImage");
  if (from === undefined) throw new DockerFault("BAD_REQUEST", "fromImage or fromSrc is missing");
  const tag = call.text("tag");
  const whole = tag === undefined ? from : `${from}${tag.startsWith("sha256:") ? "@" : ":"}${tag}`;
  const reference = library.reference(whole);
  const { signal } = call;
  const platform = platformAsked(call.text("platform"));
  const source = await sourceOf(library, reference, call).catch(async (error: unknown) => {
    throw (await hereForOthers(library, whole, platform).catch(() => undefined)) ?? error;
  });
  // A tag that the name has stands for itself; a name alone is all of them.
  const isAll = tag === undefined && !/[:@][^/]*$/.test(from);
  const tags = isAll ? await source.client.tags(source.from, signal) : [undefined];
  if (tags.length > allTagsMax) throw new DockerFault("TOO_MANY", `${from} has ${String(tags.length)} tags; name one`);
  return streaming(call, async (stream) => {
    for (const one of tags) {
      const named = one === undefined ? reference : retagged(reference, one);
      const place = { ...source, from: one === undefined ? source.from : retagged(source.from, one) };
      const target = await pull(library, place, named, {
        stream,
        signal,
        ...(platform === undefined ? {} : { platform }),
      });
      const name = library.familiar(formatReference(named));
      events.emit("image", "pull", name, { name: target.digest });
    }
  });
}

/** The registry that has it: for a name without a host the built-in one first, then Docker Hub. @throws DockerFault NOT_FOUND */
async function sourceOf(library: ImageLibrary, reference: ImageReference, call: Call): Promise<Source> {
  const hub = library.onDockerHub(reference);
  const places = hub === undefined ? [reference] : [reference, hub];
  const asked = (hub ?? reference).registry;
  const client = await library.clientFor(requestCredentials(call.request.headers["x-registry-auth"], asked));
  let missing: unknown;
  for (const from of places) {
    try {
      await client.resolve(from, call.signal);
      return { client, from };
    } catch (error) {
      const isMissing = error instanceof ImageFault && error.code === "MANIFEST_UNKNOWN";
      // A machine without a way out has the built-in registry's answer.
      if (!isMissing && (missing === undefined || !(error instanceof ImageFault))) throw error;
      missing ??= error;
    }
  }
  throw notThere(missing, library.familiar(formatReference(reference)));
}

/** Said before the stream begins, so that the status tells it, too. */
function notThere(error: unknown, name: string): unknown {
  if (!(error instanceof ImageFault) || error.code !== "MANIFEST_UNKNOWN") return error;
  return new DockerFault("NOT_FOUND", `manifest for ${name} not found: manifest unknown`, { cause: error });
}

/** A client pulls what is here for other platforms only: where no registry has it at all, that says more. */
async function hereForOthers(
  library: ImageLibrary,
  name: string,
  asked: Platform | undefined,
): Promise<DockerFault | undefined> {
  if (asked === undefined) return undefined;
  const { variants } = await imageFacts(library, (await library.find(name)).target);
  const has = variants.map(({ platform }) => platform);
  return has.some((platform) => isAsked(platform, asked)) ? undefined : noSuchPlatform(name, has, asked);
}

async function pushNamed({ library, events }: ImageParts, call: Call): Promise<void> {
  const name = call.param("name");
  const tag = call.text("tag");
  const reference = library.reference(tag === undefined ? name : `${name}:${tag}`);
  const images = await library.all();
  const prefix = `${reference.registry}/${reference.repository}:`;
  const tagged = images.flatMap((image) => image.tags.map(({ name: full }) => ({ full, target: image.target })));
  const wanted = tagged.filter(({ full }) =>
    tag === undefined ? full.startsWith(prefix) : full === formatReference(reference),
  );
  if (wanted.length === 0) {
    throw new DockerFault(
      "NOT_FOUND",
      `An image does not exist locally with the tag: ${library.familiar(prefix).slice(0, -1)}`,
    );
  }
  const client = await library.clientFor(
    requestCredentials(call.request.headers["x-registry-auth"], reference.registry),
  );
  return streaming(call, async (stream) => {
    stream.write({ status: `The push refers to repository [${library.familiar(prefix).slice(0, -1)}]` });
    for (const { full, target } of wanted) {
      const to = library.reference(full);
      const digest = await push(library, client, { reference: to, target }, { stream, signal: call.signal });
      stream.write({ status: `${to.tag ?? "latest"}: digest: ${digest} size: ${String(target.size)}` });
      stream.write({ progressDetail: {}, aux: { Tag: to.tag ?? "latest", Digest: digest, Size: target.size } });
      events.emit("image", "push", library.familiar(full), { name: library.familiar(full) });
    }
  });
}

async function tagImage({ library, events }: ImageParts, call: Call): Promise<Reply> {
  const { target } = await library.find(call.param("name"));
  const [repo, tag] = [call.text("repo"), call.text("tag")];
  if (repo === undefined) throw new DockerFault("BAD_REQUEST", "repo is missing: the new name");
  const reference = library.reference(tag === undefined ? repo : `${repo}:${tag}`);
  if (reference.digest !== undefined)
    throw new DockerFault("BAD_REQUEST", "refusing to create a tag with a digest reference");
  await library.tags.set(reference, target, library.clock.wallMs());
  events.emit("image", "tag", target.digest, { name: library.familiar(formatReference(reference)) });
  return created(undefined);
}

async function removeImage({ library, users, events }: ImageParts, call: Call): Promise<Reply> {
  const text = call.param("name");
  const image = await library.find(text);
  const force = call.flag("force");
  const running = users.usersOf(image, { running: true });
  const isLast = image.tags.length < 2;
  if (isLast && running.length > 0) {
    const what = force ? "cannot be forced" : "must be forced";
    throw new DockerFault(
      "CONFLICT",
      `conflict: unable to delete ${text} (${what}) - image is being used by running container ${running[0] ?? ""}`,
    );
  }
  const removed = await removeImageByName(library, text, {
    force,
    refuseUsed: async () => {
      const [user] = users.usersOf(image, { running: false });
      if (user !== undefined) {
        throw new DockerFault(
          "CONFLICT",
          `conflict: unable to remove repository reference "${text}" (must force) - container ${user} is using its referenced image ${image.target.digest.slice(7, 19)}`,
        );
      }
    },
  }).catch((error: unknown) => {
    throw noSuchImage(error, text);
  });
  for (const name of removed.untagged)
    events.emit("image", "untag", image.target.digest, { name: library.familiar(name) });
  for (const digest of removed.deleted)
    if (digest === image.target.digest) events.emit("image", "delete", digest, { name: digest });
  return ok(told(library, removed));
}

const told = (
  library: ImageLibrary,
  removed: { readonly untagged: readonly string[]; readonly deleted: readonly string[] },
) => [
  ...removed.untagged.map((name) => ({ Untagged: library.familiar(name) })),
  ...removed.deleted.map((digest) => ({ Deleted: digest })),
];

async function prune({ library, users, events }: ImageParts, call: Call): Promise<Reply> {
  const given = call.filters();
  // `dangling=false`, or 0, is all that nothing uses.
  const isAll = (given.get("dangling") ?? []).some((value) => value === "false" || value === "0");
  const images = await library.all();
  const nowMs = library.clock.wallMs();
  const texts = filterTexts(given).filter((text) => !text.startsWith("dangling="));
  const filters = parseFilters(texts, { home: library, images, nowMs });
  const used = new Map(
    images.flatMap((image) => {
      const names = users.usersOf(image, { running: false });
      return names.length === 0 ? [] : [[image, names] as const];
    }),
  );
  const prunable = await prunableImages(
    images.filter((image) => !used.has(image) || image.tags.length > 0),
    { isAll, used, filters },
  );
  const { untagged, deleted, reclaimedBytes } = await pruneImages(library, { ...prunable, images }, nowMs);
  events.emit("image", "prune", "", { reclaimed: String(reclaimedBytes) });
  return ok({ ImagesDeleted: told(library, { untagged, deleted }), SpaceReclaimed: reclaimedBytes });
}

async function saveImages({ library }: ImageParts, call: Call, names: readonly string[]): Promise<void> {
  if (names.length === 0) throw new DockerFault("BAD_REQUEST", "name the images to be saved");
  const found = await Promise.all(names.map(async (text) => ({ text, image: await library.find(text) })));
  const byDigest = Map.groupBy(found, ({ image }) => image.target.digest);
  const wanted = [...byDigest.values()].flatMap((same) =>
    same.slice(0, 1).map(({ image }) => ({
      target: image.target,
      names: same.filter(({ text }) => isNameOf(library, image, text)).map(({ text }) => library.reference(text)),
    })),
  );
  await pipeline(
    writeArchive(library.store, wanted, imageArchitecture(process.arch)),
    call.stream("application/x-tar"),
  );
}

function isNameOf(library: ImageLibrary, image: StoredImage, text: string): boolean {
  try {
    const name = formatReference(library.reference(text));
    return image.tags.some((tag) => tag.name === name);
  } catch {
    return false;
  }
}

async function loadImages({ library, events }: ImageParts, call: Call): Promise<void> {
  return streaming(call, async (stream) => {
    for (const { target, names } of await readArchive(library.store, call.request)) {
      let isNamed = false;
      for (const name of names) {
        const reference = referenceIn(library, name);
        if (reference === undefined) continue;
        isNamed = true;
        await library.tags.set(reference, target, library.clock.wallMs());
        stream.write({ stream: `Loaded image: ${library.familiar(formatReference(reference))}\n` });
      }
      if (!isNamed) stream.write({ stream: `Loaded image ID: ${target.digest}\n` });
      events.emit("image", "load", target.digest, { name: target.digest });
    }
  });
}

/** A name in an archive is somebody's word: what is no reference is none. */
function referenceIn(library: ImageLibrary, name: string) {
  try {
    return library.reference(name);
  } catch (error) {
    if (error instanceof ImageFault) return undefined;
    throw error;
  }
}
