import { constants } from "node:fs";
import { readlink, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import { close, fstat, open } from "./fd-calls.ts";
import { FileFault } from "./file-error.ts";
import { OpenNode, pathOnly } from "./open-node.ts";

// Linux follows 40 (path_resolution(7)).
const symlinksMax = 40;
// PATH_MAX of Linux.
const pathBytesMax = 4096;
// Directories that one path may make us open, those of its symbolic links and of the ways back from `..` included: what
// a path may have without any of them, twice.
const stepsMax = 4096;

/** The place of a name: a directory that is open, and one component in it that has not been followed. */
export interface Spot extends Disposable {
  readonly directory: OpenNode;
  /** `.` = the directory itself. */
  readonly name: string;
  /** Reaches the name. The last component must not be followed by whoever uses it. */
  readonly path: string;
  /** The guest wrote a `/` behind it: it means a directory. */
  readonly trailingSlash: boolean;
}

/**
 * Finds the place of `path` below `base`, one open directory after the other: no component is ever followed by the
 * kernel. Symbolic links are read and resolved here, so that what they say counts from the directory that they are in and
 * never leaves `base`. `..` starts again at `base` with what is left of the way: the parent of an open directory may be
 * anywhere by now.
 *
 * @throws FileFault not-permitted for what leads out of `base`, loop, name-too-long, no-entry, not-directory, invalid
 */
export async function walk(base: OpenNode, path: string, followLast: boolean): Promise<Spot> {
  const way = new Way(base, path);
  try {
    while (!(await way.step(followLast))) {
      // One component more.
    }
    return way.spot();
  } catch (error) {
    way.directory.release();
    throw error;
  }
}

class Way {
  readonly #base: OpenNode;
  /** Where we stand; ours to release. */
  directory: OpenNode;
  /** Names of the directories between `base` and `directory`. */
  readonly #passed: string[] = [];
  #pending: string[];
  #trailingSlash: boolean;
  #symlinks = 0;
  #steps = 0;

  constructor(base: OpenNode, path: string) {
    this.#pending = components(path);
    this.#trailingSlash = path.endsWith("/");
    this.#base = base;
    this.directory = base.retain();
  }

  /** Goes one component further; true when what is left is the last one. */
  async step(followLast: boolean): Promise<boolean> {
    if (++this.#steps > stepsMax) throw new FileFault("name-too-long", "the path leads through too many directories");
    const name = this.#pending[0] ?? ".";
    if (name === "..") {
      this.#goUp();
      return false;
    }
    if (this.#pending.length > 1) {
      this.#pending.shift();
      if (name !== ".") await this.#enter(name);
      return false;
    }
    if (name === "." || !followLast) return true;
    const target = await readSymlink(this.directory, name);
    if (target === undefined) return true;
    this.#pending.shift();
    this.#follow(target);
    return false;
  }

  spot(): Spot {
    const { directory } = this;
    const name = this.#pending[0] ?? ".";
    return {
      directory,
      name,
      path: directory.childPath(name),
      trailingSlash: this.#trailingSlash,
      [Symbol.dispose]: () => directory.release(),
    };
  }

  async #enter(name: string): Promise<void> {
    const next = await openDirectory(this.directory, name);
    if (next !== undefined) {
      this.directory.release();
      this.directory = next;
      this.#passed.push(name);
      return;
    }
    const target = await readSymlink(this.directory, name);
    if (target === undefined) throw new FileFault("not-directory", "a component of the path is no directory");
    this.#follow(target);
  }

  #goUp(): void {
    if (this.#passed.pop() === undefined) throw new FileFault("not-permitted", "the path leads out of its directory");
    // `a/..` means the directory itself, not its name in its parent.
    const rest = this.#pending.slice(1);
    this.#pending = [...this.#passed, ...(rest.length === 0 ? ["."] : rest)];
    this.#passed.length = 0;
    this.directory.release();
    this.directory = this.#base.retain();
  }

  #follow(target: string): void {
    if (++this.#symlinks > symlinksMax) throw new FileFault("loop", "too many symbolic links");
    const isLast = this.#pending.length === 0;
    this.#pending = [...components(target), ...this.#pending];
    if (isLast && target.endsWith("/")) this.#trailingSlash = true;
  }
}

/** `a//./b/` → a, b. A `.` is kept where it is the last. */
function components(path: string): string[] {
  if (path === "") throw new FileFault("no-entry", "the path is empty");
  if (path.includes("\0")) throw new FileFault("invalid", "the path contains NUL");
  if (Buffer.byteLength(path) > pathBytesMax) throw new FileFault("name-too-long", "the path is too long");
  if (path.startsWith("/")) throw new FileFault("not-permitted", "absolute paths lead out of every directory");
  const names = path.split("/").filter((name) => name !== "");
  return names.filter((name, index) => name !== "." || index === names.length - 1);
}

/** Undefined when `name` is no directory; a symbolic link is none. */
async function openDirectory(directory: OpenNode, name: string): Promise<OpenNode | undefined> {
  const path = directory.childPath(name);
  const access = directory.reach === "descriptor" ? pathOnly : constants.O_RDONLY | constants.O_NONBLOCK;
  let fd: number;
  try {
    fd = await open(path, access | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (["ENOTDIR", "ELOOP"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
  return openedNode(directory, fd, path);
}

/** Makes a node of what has just been opened as `path` below `parent`; closes it when it may not be used. */
export async function openedNode(parent: OpenNode, fd: number, path: string): Promise<OpenNode> {
  try {
    const real = parent.reach === "path" ? await realPath(parent, path) : path;
    return new OpenNode({ fd, reach: parent.reach, path: real, stats: await fstat(fd) });
  } catch (error) {
    await close(fd);
    throw error;
  }
}

/** Without /proc: what was opened by `path` is in `parent`, unless a symbolic link has come in between. */
async function realPath(parent: OpenNode, path: string): Promise<string> {
  const real = await realpath(path);
  if (real === parent.path || dirname(real) === parent.path) return real;
  throw new FileFault("not-permitted", "the path leads through a symbolic link");
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A name as the kernel has it, which may be any bytes; guests have Unicode only. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new FileFault("illegal-byte-sequence", "the name is not UTF-8", { cause: error });
  }
}

/** What a symbolic link says; undefined when `name` is none, or is not there. */
async function readSymlink(directory: OpenNode, name: string): Promise<string | undefined> {
  try {
    return decodeName(await readlink(directory.childPath(name), "buffer"));
  } catch (error) {
    if (["EINVAL", "ENOENT"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}
