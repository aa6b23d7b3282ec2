import fs, { constants } from "node:fs";
import { join } from "node:path";
import { assert } from "@shallop/sdk/internal";
import type { GuestContext } from "../guest-context.ts";
import { close } from "./fd-calls.ts";
import { type FileType, fileTypeOf } from "./metadata.ts";

/**
 * How names in an open directory are reached. Node has no openat(2).
 *
 * `descriptor` (Linux): through `/proc/self/fd/N/name`, which the kernel resolves from the directory that is open as N,
 * wherever it stands now and whatever is at its old path: as openat(2). Nobody can make it lead elsewhere.
 *
 * `path` (no /proc): through the path that the directory had when it was opened, and whose components were no symbolic
 * links then; what is opened is compared with its real path afterwards. Weaker: somebody who renames directories on the
 * node while a guest runs can make an operation other than opening a file (stat, unlink, rename, …) meet a directory
 * outside of the grant, and a directory that was moved is not found any more.
 */
export type Reach = "descriptor" | "path";

export const platformReach: Reach = process.platform === "linux" ? "descriptor" : "path";

// open(2) of Linux, the same number on every architecture that Node runs on: a descriptor that names a thing and cannot
// read it. Opening a device in this way does nothing to the device.
export const pathOnly = 0o10000000;

/** What is open: a descriptor, and what it is. Closed when its last user has released it, never while a call uses it. */
export class OpenNode {
  readonly fd: number;
  readonly reach: Reach;
  readonly type: FileType;
  readonly device: bigint;
  readonly inode: bigint;
  /** Leads to this very thing. */
  readonly path: string;
  #users = 1;
  #closed: (() => void) | undefined;

  constructor(opened: {
    readonly fd: number;
    readonly reach: Reach;
    /** The path that it was opened by. */
    readonly path: string;
    readonly stats: fs.BigIntStats;
  }) {
    this.fd = opened.fd;
    this.reach = opened.reach;
    this.type = fileTypeOf(opened.stats);
    this.device = opened.stats.dev;
    this.inode = opened.stats.ino;
    this.path = opened.reach === "descriptor" ? `/proc/self/fd/${opened.fd}` : opened.path;
  }

  /** Leads to `name` in this directory; `name` is one component. */
  childPath(name: string): string {
    assert(!name.includes("/") && name !== "..", "a name is one step down");
    return this.reach === "descriptor" || name === "." ? `${this.path}/${name}` : join(this.path, name);
  }

  /** Calls `run` when it is closed. */
  whenClosed(run: () => void): void {
    assert(this.#closed === undefined, "one listener");
    this.#closed = run;
  }

  retain(): this {
    assert(this.#users > 0, "what is closed cannot be used");
    this.#users++;
    return this;
  }

  release(): void {
    assert(this.#users > 0, "released once too often");
    this.#users--;
    if (this.#users > 0) return;
    this.#closed?.();
    // Nothing can be done about an error of close(2): the descriptor is gone, and writers ask for `sync`.
    void close(this.fd).catch(() => undefined);
  }

  /** Keeps it open while `run` runs, whoever releases it meanwhile: its number must not become another file's. */
  async during<Value>(run: () => Promise<Value>): Promise<Value> {
    this.retain();
    try {
      return await run();
    } finally {
      this.release();
    }
  }

  /** Keeps it open until the instance ends or the returned function is called. Safe to call twice. */
  hold(context: GuestContext): () => void {
    this.retain();
    let held = true;
    let undo = (): void => undefined;
    const release = (): void => {
      if (!held) return;
      held = false;
      undo();
      this.release();
    };
    undo = context.onEnd(release);
    return release;
  }
}

/**
 * A granted directory. Synchronous, because programs ask for their directories while they are initialised, when they
 * cannot wait: one open(2) and one fstat(2) of a directory that the launch names, which the node has just looked at.
 */
export function openRoot(host: string, reach: Reach): OpenNode {
  const path = reach === "descriptor" ? host : fs.realpathSync(host);
  const fd = fs.openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK);
  try {
    const node = new OpenNode({ fd, reach, path, stats: fs.fstatSync(fd, { bigint: true }) });
    // Without /proc every name would seem not to be there; and whatever is mounted in its place must be the kernel's.
    const seen = fs.statSync(node.path, { bigint: true });
    assert(seen.ino === node.inode && seen.dev === node.device, "/proc leads to what is open");
    return node;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}
