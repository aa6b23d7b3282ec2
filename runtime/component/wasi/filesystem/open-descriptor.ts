import type { BigIntStats } from "node:fs";
import type { GuestContext } from "../guest-context.ts";
import * as changes from "./directory-changes.ts";
import { DirectoryReader } from "./directory-reader.ts";
import { fdatasync, fstat, fsync, ftruncate, futimes, read, write } from "./fd-calls.ts";
import { FileFault } from "./file-error.ts";
import { FileSink, type WritePosition } from "./file-sink.ts";
import { FileSource } from "./file-source.ts";
import { type FileType, type NewTimestamp, timesToSet } from "./metadata.ts";
import { type DescriptorFlags, openAt, type OpenFlags } from "./open-at.ts";
import type { OpenNode } from "./open-node.ts";

/** `wasi:filesystem/types.path-flags`. */
export interface PathFlags {
  readonly symlinkFollow?: boolean;
}

/** A path below a descriptor. */
export interface PathBelow {
  readonly flags: PathFlags;
  readonly path: string;
}

// One call; a guest that wants more calls again, as after every short read or write.
const transferBytesMax = 1024 * 1024;
// The last offset that the system knows (off_t).
const offsetMax = 2n ** 63n - 1n;

/**
 * What a descriptor of any WASI is: something open, what it was opened for, and who may do what to it. Refusals are thrown
 * as FileFault, errors of the system as they come; each WASI has its own way to tell them to a guest.
 */
export class OpenDescriptor {
  readonly context: GuestContext;
  readonly #node: OpenNode;
  readonly #flags: DescriptorFlags;
  /** The grant that it comes from allows changes. */
  readonly #writable: boolean;
  readonly #release: () => void;

  /** Has a hold on `node` of its own; the caller keeps its. */
  constructor(
    context: GuestContext,
    node: OpenNode,
    access: { readonly flags: DescriptorFlags; readonly writable: boolean },
  ) {
    this.context = context;
    this.#node = node;
    this.#flags = access.flags;
    this.#writable = access.writable;
    this.#release = node.hold(context);
  }

  get type(): FileType {
    return this.#node.type;
  }

  get flags(): Required<DescriptorFlags> {
    const flags = this.#flags;
    return {
      read: flags.read === true,
      write: flags.write === true,
      fileIntegritySync: flags.fileIntegritySync === true,
      dataIntegritySync: flags.dataIntegritySync === true,
      requestedWriteSync: flags.requestedWriteSync === true,
      mutateDirectory: this.#node.type === "directory" && this.#writable,
    };
  }

  /** The guest has dropped it. */
  close(): void {
    this.#release();
  }

  /** What `run` gives; what it uses stays open until it has ended. */
  during<Value>(run: (descriptor: this) => Promise<Value>): Promise<Value> {
    return this.#node.during(() => run(this));
  }

  /** Whoever takes it closes it. */
  source(offset: bigint): FileSource {
    this.#needReadable();
    checkOffset(offset, 0);
    return new FileSource(this.context, this.#node, offset);
  }

  /** `release`: nothing more will be written. */
  sink(position: WritePosition): { readonly sink: FileSink; readonly release: () => void } {
    this.#needWritten();
    const sink = new FileSink(this.#node, position, this.context.settings.bounds.bufferBytesMax);
    return { sink, release: this.#node.hold(this.context) };
  }

  /** Advice may be ignored (posix_fadvise(2)); Node has no way to pass it on. */
  advise(): undefined {
    this.#needFile();
    return undefined;
  }

  async syncData(): Promise<undefined> {
    await fdatasync(this.#node.fd);
    return undefined;
  }

  async sync(): Promise<undefined> {
    await fsync(this.#node.fd);
    return undefined;
  }

  async setSize(size: bigint): Promise<undefined> {
    this.#needWritten();
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new FileFault("file-too-large", "no file is that long");
    await ftruncate(this.#node.fd, Number(size));
    return undefined;
  }

  async setTimes(access: NewTimestamp, modification: NewTimestamp): Promise<undefined> {
    this.#needGrant();
    const stats = await fstat(this.#node.fd);
    const times = timesToSet(access, modification, { wallMs: this.context.settings.clock.wallMs(), stats });
    await futimes(this.#node.fd, times.accessSeconds, times.modificationSeconds);
    return undefined;
  }

  async read(length: bigint, offset: bigint): Promise<[bytes: Uint8Array, isEnd: boolean]> {
    this.#needReadable();
    const buffer = new Uint8Array(length > BigInt(transferBytesMax) ? transferBytesMax : Number(length));
    checkOffset(offset, buffer.length);
    const byteCount = buffer.length === 0 ? 0 : await read(this.#node.fd, buffer, offset);
    return [buffer.subarray(0, byteCount), byteCount === 0 && buffer.length > 0];
  }

  async write(bytes: Uint8Array, offset: bigint): Promise<bigint> {
    this.#needWritten();
    const part = bytes.subarray(0, transferBytesMax);
    if (offset + BigInt(part.length) > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FileFault("file-too-large", "no file is that long");
    }
    return BigInt(await write(this.#node.fd, part, Number(offset)));
  }

  /** Whoever takes it closes it. */
  async readDirectory(): Promise<DirectoryReader> {
    this.#needDirectory();
    return withFile(this.context, () => DirectoryReader.open(this.context, this.#node));
  }

  createDirectoryAt(path: string): Promise<undefined> {
    return this.#change(() => changes.createDirectory(this.#node, path));
  }

  stat(): Promise<BigIntStats> {
    return fstat(this.#node.fd);
  }

  async statAt(at: PathBelow): Promise<BigIntStats> {
    return changes.statAt(this.#at(at));
  }

  setTimesAt(at: PathBelow, access: NewTimestamp, modification: NewTimestamp): Promise<undefined> {
    const wallMs = this.context.settings.clock.wallMs();
    return this.#change(() => changes.setTimesAt(this.#at(at), { access, modification, wallMs }));
  }

  linkAt(from: PathBelow, other: OpenDescriptor, path: string): Promise<undefined> {
    return this.#changeBoth(other, (base) => changes.linkTo(this.#at(from), { base, path }));
  }

  /** Its holds are the new descriptor's: whoever takes it closes it. */
  async openAt(at: PathBelow, open: OpenFlags, flags: DescriptorFlags): Promise<OpenDescriptor> {
    const { context } = this;
    this.#needDirectory();
    const changing = open.create === true || open.truncate === true || flags.write === true;
    if (changing || flags.mutateDirectory === true) this.#needGrant();
    const { base, path, followLast } = this.#at(at);
    const node = await withFile(context, () => openAt(base, { path, followLast, open, flags }));
    node.whenClosed(() => context.openFiles.give());
    // A directory below inherits the right to be changed, asked for or not: C libraries do not ask.
    const opened = new OpenDescriptor(context, node, { flags, writable: this.#writable });
    node.release();
    return opened;
  }

  async readlinkAt(path: string): Promise<string> {
    this.#needDirectory();
    return changes.readSymlinkAt(this.#node, path);
  }

  removeDirectoryAt(path: string): Promise<undefined> {
    return this.#change(() => changes.removeDirectory(this.#node, path));
  }

  renameAt(from: string, other: OpenDescriptor, to: string): Promise<undefined> {
    return this.#changeBoth(other, (base) => changes.renameTo({ base: this.#node, path: from }, { base, path: to }));
  }

  symlinkAt(target: string, path: string): Promise<undefined> {
    return this.#change(() => changes.createSymlink(this.#node, path, target));
  }

  unlinkFileAt(path: string): Promise<undefined> {
    return this.#change(() => changes.unlinkFile(this.#node, path));
  }

  isSameObject(other: OpenDescriptor): boolean {
    return this.#node.device === other.#node.device && this.#node.inode === other.#node.inode;
  }

  /** A change to a name in this directory. */
  async #change(run: () => Promise<void>): Promise<undefined> {
    this.#needDirectory();
    this.#needGrant();
    await run();
    return undefined;
  }

  #changeBoth(other: OpenDescriptor, run: (base: OpenNode) => Promise<void>): Promise<undefined> {
    return this.#change(() => {
      other.#needDirectory();
      other.#needGrant();
      return other.#node.during(() => run(other.#node));
    });
  }

  #at({ flags, path }: PathBelow): changes.PathIn {
    this.#needDirectory();
    return { base: this.#node, path, followLast: flags.symlinkFollow === true };
  }

  #needDirectory(): void {
    if (this.#node.type !== "directory") throw new FileFault("not-directory", "the descriptor is no directory");
  }

  #needFile(): undefined {
    if (this.#node.type === "directory") throw new FileFault("is-directory", "the descriptor is a directory");
    return undefined;
  }

  #needReadable(): void {
    this.#needFile();
    if (this.#flags.read !== true) throw new FileFault("bad-descriptor", "the file is not open for reading");
  }

  #needWritten(): void {
    this.#needFile();
    if (this.#flags.write !== true) throw new FileFault("bad-descriptor", "the file is not open for writing");
  }

  #needGrant(): void {
    if (!this.#writable) throw new FileFault("read-only", "the directory was granted for reading");
  }
}

function checkOffset(offset: bigint, length: number): void {
  if (offset > offsetMax - BigInt(length)) throw new FileFault("invalid", "the offset is beyond what a file may have");
}

/** Counts what `open` opens; whoever closes it gives it back. */
async function withFile<Opened>(context: GuestContext, open: () => Promise<Opened>): Promise<Opened> {
  // There is no `too-many-open-files` in the interface.
  if (!context.openFiles.take()) throw new FileFault("insufficient-memory", "the guest has too many open files");
  try {
    return await open();
  } catch (error) {
    context.openFiles.give();
    throw error;
  }
}

/** Closes what was opened when `make`, which takes it over, fails: a guest has no handle left for it. */
export function closeOnThrow<Made>(opened: { close(): void }, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    opened.close();
    throw error;
  }
}
