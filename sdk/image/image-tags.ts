import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, type Random, rfc3339, systemRandom } from "@shallop/sdk/internal";
import { storing, syncDirectory } from "./content-store.ts";
import { digestHex, digestOf } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import { isObject, JsonFields, parseJson } from "./json-fields.ts";
import type { Descriptor } from "./manifest.ts";
import { formatReference, type ImageReference } from "./reference.ts";

/** An image in the local store, under the name that a person gave it. */
export interface TaggedImage {
  /** `registry/repository:tag`, as `formatReference` writes it. */
  readonly name: string;
  /** Its index or manifest. */
  readonly target: Descriptor;
  /** RFC 3339. */
  readonly taggedAt: string;
}

/** A tag file is 300 bytes; more is not ours. */
const tagFileBytesMax = 16 * 1024;

/** Names of the images in a content store: a file each, replaced as a whole, so that two builds at once lose nothing. */
export class ImageTags {
  readonly #directory: string;
  readonly #random: Random;

  private constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  /** `directory` is that of the content store. @throws ImageFault STORE_FAILED */
  static async open(directory: string, options: { readonly random?: Random } = {}): Promise<ImageTags> {
    const tags = join(directory, "tags");
    await storing(`opening the store ${directory}`, () => mkdir(tags, { recursive: true }));
    return new ImageTags(tags, options.random ?? systemRandom);
  }

  /** @throws ImageFault STORE_FAILED */
  async set(reference: ImageReference, target: Descriptor, wallMs: number): Promise<TaggedImage> {
    const name = nameOf(reference);
    const image: TaggedImage = { name, target, taggedAt: rfc3339(wallMs) };
    const path = this.#path(name);
    const draft = `${path}.${this.#random.uuid()}`;
    await storing(`tagging ${name}`, async () => {
      try {
        await using file = await open(draft, "wx");
        await file.writeFile(`${JSON.stringify(image)}\n`);
        await file.sync();
        await rename(draft, path);
      } finally {
        await rm(draft, { force: true });
      }
      await syncDirectory(this.#directory);
    });
    return image;
  }

  async get(reference: ImageReference): Promise<TaggedImage | undefined> {
    return this.#read(this.#path(nameOf(reference)));
  }

  /** Sorted by name. */
  async list(): Promise<readonly TaggedImage[]> {
    const files = (await readdir(this.#directory)).filter((file) => file.endsWith(".json"));
    const images = await Promise.all(files.map((file) => this.#read(join(this.#directory, file))));
    return images.filter((image) => image !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** False when there was no such name. */
  async remove(reference: ImageReference): Promise<boolean> {
    if ((await this.get(reference)) === undefined) return false;
    await storing("removing a tag", () => rm(this.#path(nameOf(reference)), { force: true }));
    return true;
  }

  /** A name may be longer than a file name may be, so the file has the hash of it. */
  #path(name: string): string {
    return join(this.#directory, `${digestHex(digestOf(name))}.json`);
  }

  async #read(path: string): Promise<TaggedImage | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw new ImageFault("STORE_FAILED", `reading the tag file ${path} failed`, { cause: error });
    }
    return parseTag(bytes, path);
  }
}

const nameOf = (reference: ImageReference): string =>
  formatReference({
    registry: reference.registry,
    repository: reference.repository,
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
    ...(reference.tag !== undefined || reference.digest === undefined ? {} : { digest: reference.digest }),
  });

function parseTag(bytes: Uint8Array, path: string): TaggedImage {
  const what = `the tag file ${path}`;
  if (bytes.length > tagFileBytesMax) throw new ImageFault("STORE_FAILED", `${what} is not ours: it is too long`);
  const json = parseJson(bytes, what, 8);
  const fields = new JsonFields();
  const object = fields.object(json, "tag");
  const target = isObject(object["target"]) ? object["target"] : {};
  const image: TaggedImage = {
    name: fields.string(object["name"], "name"),
    taggedAt: fields.string(object["taggedAt"], "taggedAt"),
    target: {
      mediaType: fields.string(target["mediaType"], "target.mediaType"),
      digest: fields.digest(target["digest"], "target.digest"),
      size: fields.size(target["size"], "target.size"),
    },
  };
  fields.finish(what);
  return image;
}
