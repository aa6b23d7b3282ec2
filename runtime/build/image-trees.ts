import type { StoredLayer } from "@shallop/sdk/image";
import { type DirectoryNode, emptyTree, findPath, toName } from "./file-tree.ts";
import { withLayer } from "./image-tree.ts";
import type { LayerIndexes } from "./layer-index.ts";
import type { Spool } from "./spool.ts";

/** A user database has some dozens of lines; directories of thousands of users are not in images. */
const textBytesMax = 1024 * 1024;

/** File systems of images, each made once from its layers. */
export class ImageTrees {
  readonly #indexes: LayerIndexes;
  readonly #trees = new Map<string, Promise<DirectoryNode>>();

  constructor(indexes: LayerIndexes) {
    this.#indexes = indexes;
  }

  /** @param layers the base first. @throws ImageFault LAYER_INVALID | TOO_LARGE | BLOB_UNKNOWN | DIGEST_MISMATCH */
  tree(layers: readonly StoredLayer[]): Promise<DirectoryNode> {
    const last = layers.at(-1);
    if (last === undefined) return Promise.resolve(emptyTree);
    const key = layers.map(({ diffId }) => diffId).join(" ");
    const known = this.#trees.get(key);
    if (known !== undefined) return known;
    const made = this.#with(layers.slice(0, -1), last);
    this.#trees.set(key, made);
    made.catch(() => this.#trees.delete(key));
    return made;
  }

  async #with(below: readonly StoredLayer[], layer: StoredLayer): Promise<DirectoryNode> {
    const [tree, entries] = await Promise.all([this.tree(below), this.#indexes.entries(layer)]);
    return withLayer(tree, entries, layer.descriptor.digest);
  }
}

/** Text of a file of an image; empty where there is none, or one that is too large. */
export async function imageText(tree: DirectoryNode, path: string, spool: Spool): Promise<string> {
  const { node } = findPath(tree, toName(path), { outside: "stay" });
  if (node?.kind !== "file" || node.size > textBytesMax) return "";
  await spool.fetch([node]);
  const pieces: Uint8Array[] = [];
  for await (const piece of spool.bytes(node)) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}
