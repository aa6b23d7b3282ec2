import { posix } from "node:path";
import type { StoredLayer } from "@shallop/sdk/image";
import { download, localArchive } from "./added-files.ts";
import type { BuildContext } from "./build-context.ts";
import type { BuildTools } from "./build-tools.ts";
import { type CopySource, type CopyTarget, planCopy, planDirectory, type LayerEntry } from "./copy-plan.ts";
import { findSources, type SourceRoot } from "./copy-sources.ts";
import { type Expansion, expandText, expandWord } from "./dockerfile/expand.ts";
import { lineFault } from "./dockerfile/fault.ts";
import type { CopyInstruction } from "./dockerfile/instruction.ts";
import { builtNow, type DirectoryNode, type RegularNode, toName } from "./file-tree.ts";
import { imageText } from "./image-trees.ts";
import { entriesKey, writeLayer } from "./layer-writer.ts";
import { modeOf, ownerOf } from "./owner.ts";
import type { ImageState } from "./stage-state.ts";
import { workingDirectory } from "./config-step.ts";

/** What a step that brings files has come to. */
export interface FileStep {
  readonly layer: StoredLayer | undefined;
  readonly cached: boolean;
}

/** COPY and ADD. `from` is the image that COPY --from names. @throws DockerfileFault, ImageFault */
export async function copyStep(
  tools: BuildTools,
  state: ImageState,
  copy: {
    readonly instruction: CopyInstruction;
    readonly expansion: Expansion;
    readonly context: BuildContext;
    readonly from: DirectoryNode | undefined;
  },
): Promise<FileStep> {
  const { instruction, expansion, context, from } = copy;
  const { line } = expansion;
  const word = (text: string): string => expandWord(text, expansion);
  const image = await tools.trees.tree(state.layers);
  const destination = word(instruction.destination);
  const target: CopyTarget = {
    image,
    destination: toName(absolute(state, destination)),
    shown: destination,
    line,
    mtimeMax: mtimeMaxOf(tools),
    ...(await ownershipOf(tools, image, instruction, expansion)),
  };
  const root: SourceRoot =
    from === undefined
      ? { root: context.root, outside: "refuse", isIgnored: (path) => context.isIgnored(path) }
      : { root: from, outside: "stay" };
  const names = instruction.sources.map(word);
  const urls = instruction.kind === "add" ? names.filter(isUrl) : [];
  const files = names.filter((name) => !urls.includes(name));
  const sources = findSources(files, root, line);
  const inline = instruction.heredocs.map((heredoc) =>
    inlineSource(word(heredoc.name), heredoc.expands ? expandText(heredoc.content, expansion) : heredoc.content),
  );
  const fetched = await fetchAll(tools, urls, instruction.checksum, target);
  const all = [...sources, ...inline, ...fetched];
  const [first, ...more] = all;
  if (first === undefined) throw lineFault(line, "there is nothing to copy", "CONTEXT_INVALID");
  if (more.length > 0 && !destination.endsWith("/") && !/(?:^|\/)\.{1,2}$/.test(destination))
    throw lineFault(line, `${destination} must end in /: ${all.length} files are copied`, "CONTEXT_INVALID");
  const unpacked = instruction.kind === "add" ? await withArchives(tools, sources) : sources;
  const entries = planCopy([...unpacked, ...inline, ...fetched], target);
  return layerOf(tools, entries);
}

/** The directory of WORKDIR, made where the image has none. */
export async function directoryStep(
  tools: BuildTools,
  state: ImageState,
  path: string,
  line: number,
): Promise<FileStep> {
  const image = await tools.trees.tree(state.layers);
  const target = { image, destination: toName(path), shown: path, line, mtimeMax: mtimeMaxOf(tools) };
  return layerOf(tools, planDirectory(target));
}

const mtimeMaxOf = ({ settings }: BuildTools): number => Math.floor(settings.createdMs / 1000);

async function layerOf(tools: BuildTools, entries: readonly LayerEntry[]): Promise<FileStep> {
  if (entries.length === 0) return { layer: undefined, cached: true };
  const { cache, spool, store } = tools;
  // Such a layer depends on nothing but its entries: whatever it lies on, it is the same.
  const key = cache.key("files", await entriesKey(entries, spool));
  const known = await cache.find(key);
  if (known !== undefined) return { ...known, cached: true };
  await spool.fetch(entries.map(({ node }) => node).filter((node) => node.kind === "file"));
  const layer = await writeLayer(store, entries, spool);
  await cache.keep(key, { layer });
  return { layer, cached: false };
}

function absolute({ description }: ImageState, path: string): string {
  const found = workingDirectory(description.config.workingDir, path);
  return /(?:^|\/)\.{0,2}$/.test(path) && found !== "/" ? `${found}/` : found;
}

async function ownershipOf(
  tools: BuildTools,
  image: DirectoryNode,
  { chown, chmod }: CopyInstruction,
  expansion: Expansion,
): Promise<Pick<CopyTarget, "owner" | "mode">> {
  const mode = chmod === undefined ? {} : { mode: modeOf(expandWord(chmod, expansion), expansion.line) };
  if (chown === undefined) return mode;
  const [passwd, group] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((path) => imageText(image, path, tools.spool)),
  );
  const owner = ownerOf(expandWord(chown, expansion), { passwd: passwd ?? "", group: group ?? "" }, expansion.line);
  return { ...mode, owner };
}

function inlineSource(name: string, text: string): CopySource {
  const size = Buffer.byteLength(text);
  const node: RegularNode = {
    ...{ kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: builtNow, xattrs: new Map(), size },
    content: { kind: "text", text },
  };
  return { name: toName(name), node };
}

const isUrl = (text: string): boolean => /^(?:https?:\/\/|git@|git:\/\/)/i.test(text);

async function fetchAll(
  { scratch, signal }: BuildTools,
  urls: readonly string[],
  checksum: string | undefined,
  target: CopyTarget,
): Promise<readonly CopySource[]> {
  const sources: CopySource[] = [];
  for (const url of urls) {
    if (!/^https?:/i.test(url) || /\.git(?:#|$)/.test(url))
      throw lineFault(
        target.line,
        `${url}: git repositories are not fetched; clone it, and COPY it`,
        "BUILD_UNSUPPORTED",
      );
    const name = posix.basename(URL.parse(url)?.pathname ?? "");
    if (name === "" && target.destination.endsWith("/"))
      throw lineFault(target.line, `${url} names no file: say in the destination what it is to be called`);
    sources.push({ name: toName(decodeURIComponent(name)), node: await download({ url, checksum }, scratch, signal) });
  }
  return sources;
}

/** Local archives of ADD as what is in them. */
async function withArchives(tools: BuildTools, sources: readonly CopySource[]): Promise<readonly CopySource[]> {
  const { spool } = tools;
  const result: CopySource[] = [];
  for (const source of sources) {
    const { node } = source;
    if (node.kind !== "file" || node.size === 0) {
      result.push(source);
      continue;
    }
    await spool.fetch([node]);
    const inside = await localArchive(spool.path(node), tools);
    result.push(inside === undefined ? source : { ...source, node: inside });
  }
  return result;
}
