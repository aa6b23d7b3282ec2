import { archiveEnd, bodyBytes, encodeEntry, LayerError, noDevice, paddingOf, type TarEntry } from "./tar-format.ts";
import { type ReadEntry, shown } from "./tar-reader.ts";

interface LayerLimits {
  /** Bytes of all files together. */
  readonly bytesMax: number;
  readonly entriesMax: number;
}

/** What a layer needs to know of the layers below it. */
export interface LowerLayers {
  /** Attributes of a directory, if the layers below have one there. */
  directory(path: string): Promise<DirectoryAttributes | undefined>;
  /** A file that a hardlink of this layer names, to be copied. */
  file(path: string): Promise<LowerFile | undefined>;
}

export type DirectoryAttributes = Pick<TarEntry, "mode" | "uid" | "gid" | "mtime" | "mtimeNanos">;
export type LowerFile = DirectoryAttributes & { readonly size: number; readonly body: AsyncIterable<Buffer> };

/** What a layer may bring that gives privileges to who runs or opens it. Nothing, unless a node says so. */
export interface PrivilegePolicy {
  /** The bits that change user or group. */
  readonly setIds: boolean;
  /** The attribute `security.capability`. */
  readonly capabilities: boolean;
  readonly devices: boolean;
}

export interface RewriteOptions {
  readonly limits: LayerLimits;
  readonly privileges: PrivilegePolicy;
  /** Undefined when they are not known yet; then what needs them is LayerError NEEDS_LOWERS. */
  readonly lowers: LowerLayers | undefined;
  /** Of the opaque mark: `trusted.` for root, `user.` for others (overlayfs option `userxattr`). */
  readonly opaqueXattr: string;
}

export interface RewriteSummary {
  bytes: number;
  entries: number;
  /** The layer hides everything below it. */
  rootOpaque: boolean;
  /** Device files that were left out. */
  devicesDropped: number;
}

type Node =
  | ({ readonly kind: "directory"; opaque: boolean } & DirectoryAttributes)
  | { readonly kind: "symlink"; readonly target: string; readonly entry: TarEntry }
  | { readonly kind: "file" };

// NAME_MAX, PATH_MAX of Linux; a path that is deeper has no room for names.
const nameBytesMax = 255;
const pathBytesMax = 4_095;
const depthMax = 256;
/** XATTR_SIZE_MAX. What is longer `tar` would leave out, and say nothing. */
const xattrBytesMax = 65_536;
/** As the kernel's own bound on links in a path. */
const linksMax = 40;
/** Linux' greatest user number; the one after it means "no change" to chown. */
const idMax = 2 ** 32 - 2;

const rootDirectory: DirectoryAttributes = { mode: 0o755, uid: 0, gid: 0, mtime: 0, mtimeNanos: 0 };

/** What an entry that is not a file of the archive has not. */
const bare = { size: 0, linkPath: "", device: noDevice, xattrs: new Map<string, string>() };

/**
 * Turns a layer's archive into one that a plain, trusting `tar` can unpack into an empty directory, so that the result
 * is a lower directory of overlayfs. Every path that comes out is relative, has no `..`, and passes through
 * no symbolic link: links are followed here, in a model of the tree, never on the disk. Set-user-id bits, devices and
 * attributes that give privileges are left out unless the policy lets them in. Whiteouts become character devices 0:0 at the end, because
 * they hide what is below, not what is beside them, in whatever order the archive has them (image specification,
 * "Layers").
 */
export class LayerRewriter {
  readonly #options: RewriteOptions;
  readonly #tree = new Map<string, Node>();
  readonly #whiteouts = new Set<string>();
  readonly summary: RewriteSummary = { bytes: 0, entries: 0, rootOpaque: false, devicesDropped: 0 };

  constructor(options: RewriteOptions) {
    this.#options = options;
  }

  /** @throws LayerError LAYER_INVALID | TOO_LARGE | NEEDS_LOWERS */
  async *rewrite(archive: AsyncIterable<ReadEntry>): AsyncGenerator<Buffer, void, undefined> {
    for await (const { entry, body } of archive) {
      this.#count();
      yield* this.#entry(entry, body);
    }
    yield* this.#finish();
    yield archiveEnd;
  }

  #count(): void {
    if (++this.summary.entries > this.#options.limits.entriesMax) {
      throw new LayerError("TOO_LARGE", `the layer has more than ${this.#options.limits.entriesMax} entries`);
    }
  }

  async *#entry(entry: TarEntry, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    const parts = partsOf(entry.path);
    const last = parts.at(-1);
    // The layer's own root: its attributes are those of the mount, which the pod makes.
    if (last === undefined) return;
    if (last.startsWith(".wh.")) {
      yield* this.#whiteout(parts, last);
      return;
    }
    if (isDevice(entry) && !this.#options.privileges.devices) {
      this.summary.devicesDropped++;
      return;
    }
    if (isDevice(entry) && entry.device.major === 0 && entry.device.minor === 0) {
      throw new LayerError("LAYER_INVALID", `${shown(entry.path)} is what overlayfs takes for a whiteout`);
    }
    const parent = yield* this.#parent(parts);
    const path = joined(parent, last);
    const existing = this.#tree.get(path);
    if (existing?.kind === "directory" && entry.type !== "directory") {
      throw new LayerError("LAYER_INVALID", `${shown(path)} is a directory and something else in one layer`);
    }
    const clean = { ...safe(entry, this.#options.privileges), path };
    switch (entry.type) {
      case "directory": {
        const opaque = existing?.kind === "directory" && existing.opaque;
        this.#tree.set(path, { kind: "directory", opaque, ...attributesOf(clean) });
        yield encodeEntry(clean);
        return;
      }
      case "symlink":
        if (entry.linkPath === "" || entry.linkPath.length > pathBytesMax) {
          throw new LayerError("LAYER_INVALID", `${shown(path)} is a link to nothing, or to a path that is too long`);
        }
        this.#tree.set(path, { kind: "symlink", target: entry.linkPath, entry: clean });
        return;
      case "hardlink":
        yield* this.#hardlink(clean, entry.linkPath);
        return;
      case "fifo":
      case "character":
      case "block":
        this.#tree.set(path, { kind: "file" });
        yield encodeEntry(clean);
        return;
      case "file":
        this.#tree.set(path, { kind: "file" });
        yield* this.#file(clean, body);
    }
  }

  async *#file(entry: TarEntry, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    this.summary.bytes += entry.size;
    if (this.summary.bytes > this.#options.limits.bytesMax) {
      throw new LayerError("TOO_LARGE", `the layer unpacks to more than ${this.#options.limits.bytesMax} bytes`);
    }
    yield encodeEntry(entry);
    let size = 0;
    for await (const piece of body) {
      size += piece.length;
      yield piece;
    }
    if (size !== bodyBytes(entry))
      throw new LayerError("LAYER_INVALID", `the archive ends in the middle of ${shown(entry.path)}`);
    yield Buffer.alloc(paddingOf(size));
  }

  /** A second name of a file. One of a lower layer is copied: a hardlink cannot lead out of its directory. */
  async *#hardlink(entry: TarEntry, linkPath: string): AsyncGenerator<Buffer, void, undefined> {
    const parts = partsOf(linkPath);
    const last = parts.at(-1);
    if (last === undefined) throw new LayerError("LAYER_INVALID", `${shown(entry.path)} is a hard link to nothing`);
    const parent = this.#follow(parts.slice(0, -1));
    const target = joined(parent, last);
    // A link to itself changes nothing.
    if (target === entry.path) return;
    const node = this.#tree.get(target);
    if (node?.kind === "directory") {
      throw new LayerError("LAYER_INVALID", `${shown(entry.path)} is a hard link to a directory`);
    }
    if (node !== undefined) {
      this.#tree.set(entry.path, node);
      if (node.kind === "file") yield encodeEntry({ ...entry, linkPath: target });
      return;
    }
    const lower = await this.#lowers(entry.path).file(target);
    if (lower === undefined) {
      throw new LayerError(
        "LAYER_INVALID",
        `${shown(entry.path)} is a hard link to ${shown(target)}, which is not there`,
      );
    }
    this.#tree.set(entry.path, { kind: "file" });
    const { body, ...attributes } = lower;
    const modeMask = this.#options.privileges.setIds ? 0o7777 : 0o1777;
    yield* this.#file({ ...entry, ...attributes, mode: attributes.mode & modeMask, type: "file", linkPath: "" }, body);
  }

  async *#whiteout(parts: readonly string[], last: string): AsyncGenerator<Buffer, void, undefined> {
    // AUFS' own files, which Docker's old archives still have.
    if (last.startsWith(".wh..wh.") && last !== ".wh..wh..opq") return;
    const hidden = last.slice(".wh.".length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new LayerError("LAYER_INVALID", "a whiteout hides nothing that has a name");
    }
    const parent = yield* this.#parent(parts);
    if (last !== ".wh..wh..opq") {
      this.#whiteouts.add(joined(parent, hidden));
      return;
    }
    const node = this.#tree.get(parent);
    if (parent === "") this.summary.rootOpaque = true;
    else if (node?.kind === "directory") node.opaque = true;
  }

  /** Links, whiteouts and opaque marks, now that it is known what the layer itself has. */
  *#finish(): Generator<Buffer, void, undefined> {
    yield* this.#symlinks();
    for (const path of this.#whiteouts) {
      const node = this.#tree.get(path);
      // Hidden below and made anew here: a directory must not show what the hidden one had.
      if (node?.kind === "directory") node.opaque = true;
      if (node !== undefined) continue;
      yield encodeEntry({ ...rootDirectory, ...bare, mode: 0, path, type: "character" });
    }
    for (const [path, node] of this.#tree) {
      if (node.kind !== "directory" || !node.opaque) continue;
      const xattrs = new Map([[this.#options.opaqueXattr, "y"]]);
      yield encodeEntry({ ...attributesOf(node), ...bare, path, type: "directory", xattrs });
    }
  }

  /** Last of all: so nothing can be written through one, whatever `tar` does, and a later entry of its name wins. */
  *#symlinks(): Generator<Buffer, void, undefined> {
    const firstNames = new Map<Node, string>();
    for (const [path, node] of this.#tree) {
      if (node.kind !== "symlink") continue;
      const first = firstNames.get(node);
      firstNames.set(node, first ?? path);
      const own = { ...node.entry, path, linkPath: node.target };
      yield encodeEntry(first === undefined ? own : { ...own, type: "hardlink", linkPath: first });
    }
  }

  /** The directory that an entry is in; made first where the archive leaves it out, like the one that it stands for. */
  async *#parent(parts: readonly string[]): AsyncGenerator<Buffer, string, undefined> {
    const parent = this.#follow(parts.slice(0, -1));
    let path = "";
    for (const part of parent === "" ? [] : parent.split("/")) {
      path = joined(path, part);
      const node = this.#tree.get(path);
      if (node?.kind === "directory") continue;
      if (node !== undefined) {
        throw new LayerError("LAYER_INVALID", `${shown(path)} is a directory and something else in one layer`);
      }
      this.#count();
      const attributes = (await this.#lowers(path).directory(path)) ?? rootDirectory;
      this.#tree.set(path, { kind: "directory", opaque: false, ...attributes });
      yield encodeEntry({ ...attributes, ...bare, path, type: "directory" });
    }
    return parent;
  }

  #lowers(path: string): LowerLayers {
    const { lowers } = this.#options;
    if (lowers === undefined) throw new LayerError("NEEDS_LOWERS", `${shown(path)} depends on a lower layer`);
    return lowers;
  }

  /** Follows the links of this layer, as if its directory were the root of the system. */
  #follow(parts: readonly string[]): string {
    const todo = [...parts];
    let done: string[] = [];
    let links = 0;
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        done.pop();
        continue;
      }
      const node = this.#tree.get([...done, part].join("/"));
      if (node?.kind !== "symlink") {
        done.push(part);
        // Here, not at the end: forty links of 2,000 directories each would make every step long.
        if (done.length > depthMax) throw tooDeep();
        continue;
      }
      if (++links > linksMax) throw new LayerError("LAYER_INVALID", `${shown(parts.join("/"))} goes round in links`);
      if (node.target.startsWith("/")) done = [];
      todo.unshift(...node.target.split("/"));
    }
    return done.join("/");
  }
}

const tooDeep = (): LayerError => new LayerError("LAYER_INVALID", `a path is deeper than ${depthMax} directories`);

const isDevice = (entry: TarEntry): boolean => entry.type === "character" || entry.type === "block";

const joined = (parent: string, name: string): string => (parent === "" ? name : `${parent}/${name}`);

/** The components of a path in an archive. A leading `/` or `./` means the layer's root. */
function partsOf(path: string): readonly string[] {
  if (path.length > pathBytesMax) throw new LayerError("LAYER_INVALID", `a path has ${path.length} bytes`);
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new LayerError("LAYER_INVALID", `${shown(path)} leads out of the layer`);
  if (parts.length > depthMax)
    throw new LayerError("LAYER_INVALID", `${shown(path)} is deeper than ${depthMax} directories`);
  if (parts.some((part) => part.length > nameBytesMax)) {
    throw new LayerError("LAYER_INVALID", `${shown(path)} has a name of more than ${nameBytesMax} bytes`);
  }
  return parts;
}

/** Without what gives privileges to who runs it, also on this machine: set-id bits and capabilities. */
function safe(entry: TarEntry, policy: PrivilegePolicy): TarEntry {
  if (entry.uid > idMax || entry.gid > idMax) {
    throw new LayerError("LAYER_INVALID", `${shown(entry.path)} belongs to a user number that Linux does not have`);
  }
  const takesXattrs = entry.type === "file" || entry.type === "directory";
  // Of the others `trusted.` and `user.overlay.` steer overlayfs, and `security.` the kernel.
  const xattrs = [...entry.xattrs].filter(
    ([key]) =>
      (takesXattrs && /^user\.[\x21-\x3c\x3e-\x7e]{1,200}$/.test(key) && !key.startsWith("user.overlay.")) ||
      (policy.capabilities && entry.type === "file" && key === "security.capability"),
  );
  const [long] = xattrs.find(([, value]) => value.length > xattrBytesMax) ?? [];
  if (long !== undefined) {
    throw new LayerError(
      "LAYER_INVALID",
      `${shown(entry.path)} has more than ${xattrBytesMax} bytes of ${shown(long)}`,
    );
  }
  const mode = entry.mode & (policy.setIds ? 0o7777 : 0o1777);
  return { ...entry, mode, linkPath: "", xattrs: new Map(xattrs) };
}

const attributesOf = (entry: DirectoryAttributes): DirectoryAttributes => ({
  mode: entry.mode,
  uid: entry.uid,
  gid: entry.gid,
  mtime: entry.mtime,
  mtimeNanos: entry.mtimeNanos,
});
