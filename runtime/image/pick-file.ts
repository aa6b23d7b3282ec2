import { LayerError } from "./tar-format.ts";
import { type ReadEntry, shown } from "./tar-reader.ts";
import { withHoles } from "./tar-sparse.ts";

/** `hidden`: the layer removes the file, so that it is not to be looked for below. */
export type PickResult = "found" | "absent" | "hidden";

/**
 * Writes the one file of a layer that a Wasm image in tar form is about. Several entries of the name: the last counts, as
 * everywhere in tar, so it is an error here, where the first was written already.
 *
 * @throws LayerError LAYER_INVALID | TOO_LARGE
 */
export async function pickFile(
  entries: AsyncIterable<ReadEntry>,
  path: string,
  fileBytesMax: number,
  write: (chunk: Buffer) => Promise<void>,
): Promise<PickResult> {
  const wanted = normal(path);
  const whiteouts = hidingNames(wanted);
  let result: PickResult = "absent";
  for await (const { entry, body } of entries) {
    const name = normal(entry.path);
    if (whiteouts.has(name) && result === "absent") result = "hidden";
    if (name !== wanted) continue;
    if (entry.type !== "file") {
      throw new LayerError("LAYER_INVALID", `${shown(path)} is a ${entry.type} in the layer, not a file`);
    }
    if (result === "found") throw new LayerError("LAYER_INVALID", `${shown(path)} is in the layer twice`);
    if (entry.size > fileBytesMax) {
      throw new LayerError("TOO_LARGE", `${shown(path)} has ${entry.size} bytes, at most ${fileBytesMax} are taken`);
    }
    const whole = entry.extents === undefined ? body : withHoles({ size: entry.size, extents: entry.extents }, body);
    for await (const piece of whole) await write(piece);
    result = "found";
  }
  return result;
}

const normal = (path: string): string =>
  path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");

/** Whiteouts of the file and of each directory that it is in, and opaque marks of those. */
function hidingNames(path: string): ReadonlySet<string> {
  const parts = path.split("/");
  const names = new Set<string>([".wh..wh..opq"]);
  for (const [index, part] of parts.entries()) {
    const parent = parts.slice(0, index);
    names.add([...parent, `.wh.${part}`].join("/"));
    names.add([...parent, ".wh..wh..opq"].join("/"));
  }
  return names;
}
