import { readdir } from "node:fs/promises";
import { Readable } from "node:stream";
import { findPath, toName } from "../../build/file-tree.ts";
import { archiveOf } from "../../build/layer-writer.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { parseCreateBody } from "../containers/create-body.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { ContainerFiles, type FilesParts } from "./container-files.ts";
import { LiveRoot } from "./live-root.ts";
import { entriesAt } from "./tree-entries.ts";

type Parts = FilesParts & { readonly volumes: Volumes };

/**
 * An empty volume begins with what the image has where it is mounted, as Docker has it; `nocopy` leaves it empty. Of an image
 * that has a component only there is nothing.
 */
export async function fillVolumes(parts: Parts, record: ContainerRecord, signal: AbortSignal): Promise<void> {
  const { mounts } = parseCreateBody(record.body);
  const empty: { readonly target: string; readonly root: string }[] = [];
  for (const { type, target, copies } of mounts) {
    const root = parts.volumes.path(record.volumes[target] ?? "");
    if (type === "volume" && copies !== false && (await readdir(root)).length === 0) empty.push({ target, root });
  }
  if (empty.length === 0 || !record.hasNative) return;
  await using files = await ContainerFiles.open(parts, record, signal);
  const tree = await files.imageTree();
  for (const { target, root } of empty) {
    const { node } = findPath(tree, toName(target), { outside: "stay" });
    if (node?.kind !== "directory") continue;
    const entries = [...entriesAt(node, ".")];
    await files.spool.fetch(entries.flatMap(({ node: one }) => (one.kind === "file" ? [one] : [])));
    // In a process whose root is the volume: nothing of an image's is written elsewhere.
    await new LiveRoot({ root, firstId: 0 }, signal).write("/", Readable.from(archiveOf(entries, files.spool)), false);
  }
}
