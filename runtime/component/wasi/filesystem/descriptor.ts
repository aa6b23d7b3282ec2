import type { GuestContext } from "../guest-context.ts";
import { InputStream } from "../input-stream.ts";
import { OutputStream } from "../output-stream.ts";
import { Resource } from "../resource.ts";
import { ok, type Result } from "../result.ts";
import { answer, answerNow } from "./answer.ts";
import * as changes from "./directory-changes.ts";
import { DirectoryEntryStream } from "./directory-entry-stream.ts";
import { fdatasync, fstat, fsync, ftruncate, futimes, read, write } from "./fd-calls.ts";
import { type FileErrorCode, FileFault } from "./file-error.ts";
import { FileSink, type WritePosition } from "./file-sink.ts";
import { FileSource } from "./file-source.ts";
import {
  type DescriptorStat,
  descriptorStat,
  type FileType,
  type MetadataHash,
  metadataHash,
  type NewTimestamp,
  timesToSet,
} from "./metadata.ts";
import { type DescriptorFlags, openAt, type OpenFlags } from "./open-at.ts";
import type { OpenNode } from "./open-node.ts";

type Outcome<Value> = Result<Value, FileErrorCode>;

/** `wasi:filesystem/types.path-flags`. */
export interface PathFlags {
  readonly symlinkFollow?: boolean;
}

// One call; a guest that wants more calls again, as after every short read or write.
const transferBytesMax = 1024 * 1024;
// The last offset that the system knows (off_t).
const offsetMax = 2n ** 63n - 1n;

/**
 * `wasi:filesystem/types.descriptor`. What a name is done to, or what an operation costs a disk's time, is awaited; what
 * has been known since the file was opened (its type, flags and identity) is answered at once, and so are streams, which
 * start when they are read or written.
 */
export class Descriptor extends Resource {
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
    super(context);
    this.#node = node;
    this.#flags = access.flags;
    this.#writable = access.writable;
    this.#release = node.hold(context);
  }

  readViaStream(offset: bigint): Outcome<InputStream> {
    return answerNow(() => {
      this.#needReadable();
      checkOffset(offset, 0);
      const source = new FileSource(this.context, this.#node, offset);
      return new InputStream(this.context, source, () => source.close());
    });
  }

  writeViaStream(offset: bigint): Outcome<OutputStream> {
    return this.#output({ kind: "at", offset });
  }

  appendViaStream(): Outcome<OutputStream> {
    return this.#output({ kind: "end" });
  }

  /** Advice may be ignored (posix_fadvise(2)); Node has no way to pass it on. */
  advise(_offset: bigint, _length: bigint, _advice: string): Outcome<undefined> {
    return answerNow(() => this.#needFile());
  }

  syncData(): Promise<Outcome<undefined>> {
    return this.#attempt(() => fdatasync(this.#node.fd).then(nothing));
  }

  sync(): Promise<Outcome<undefined>> {
    return this.#attempt(() => fsync(this.#node.fd).then(nothing));
  }

  getFlags(): Outcome<Required<DescriptorFlags>> {
    const flags = this.#flags;
    return ok({
      read: flags.read === true,
      write: flags.write === true,
      fileIntegritySync: flags.fileIntegritySync === true,
      dataIntegritySync: flags.dataIntegritySync === true,
      requestedWriteSync: flags.requestedWriteSync === true,
      mutateDirectory: this.#node.type === "directory" && this.#writable,
    });
  }

  getType(): Outcome<FileType> {
    return ok(this.#node.type);
  }

  setSize(size: bigint): Promise<Outcome<undefined>> {
    return this.#attempt(async () => {
      this.#needWritten();
      if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new FileFault("file-too-large", "no file is that long");
      await ftruncate(this.#node.fd, Number(size));
      return undefined;
    });
  }

  setTimes(access: NewTimestamp, modification: NewTimestamp): Promise<Outcome<undefined>> {
    return this.#attempt(async () => {
      this.#needGrant();
      const stats = await fstat(this.#node.fd);
      const times = timesToSet(access, modification, { wallMs: this.context.settings.clock.wallMs(), stats });
      await futimes(this.#node.fd, times.accessSeconds, times.modificationSeconds);
      return undefined;
    });
  }

  read(length: bigint, offset: bigint): Promise<Outcome<[bytes: Uint8Array, isEnd: boolean]>> {
    return this.#attempt(async () => {
      this.#needReadable();
      const buffer = new Uint8Array(length > BigInt(transferBytesMax) ? transferBytesMax : Number(length));
      checkOffset(offset, buffer.length);
      const byteCount = buffer.length === 0 ? 0 : await read(this.#node.fd, buffer, offset);
      return [buffer.subarray(0, byteCount), byteCount === 0 && buffer.length > 0];
    });
  }

  write(bytes: Uint8Array, offset: bigint): Promise<Outcome<bigint>> {
    return this.#attempt(async () => {
      this.#needWritten();
      const part = bytes.subarray(0, transferBytesMax);
      if (offset + BigInt(part.length) > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new FileFault("file-too-large", "no file is that long");
      }
      return BigInt(await write(this.#node.fd, part, Number(offset)));
    });
  }

  readDirectory(): Promise<Outcome<DirectoryEntryStream>> {
    return this.#attempt(async () => {
      this.#needDirectory();
      return withFile(this.context, () => DirectoryEntryStream.open(this.context, this.#node));
    });
  }

  createDirectoryAt(path: string): Promise<Outcome<undefined>> {
    return this.#change(() => changes.createDirectory(this.#node, path));
  }

  stat(): Promise<Outcome<DescriptorStat>> {
    return this.#attempt(async () => descriptorStat(await fstat(this.#node.fd)));
  }

  statAt(pathFlags: PathFlags, path: string): Promise<Outcome<DescriptorStat>> {
    return this.#attempt(async () => descriptorStat(await changes.statAt(this.#at(pathFlags, path))));
  }

  setTimesAt(
    pathFlags: PathFlags,
    path: string,
    access: NewTimestamp,
    modification: NewTimestamp,
  ): Promise<Outcome<undefined>> {
    const wallMs = this.context.settings.clock.wallMs();
    return this.#change(() => changes.setTimesAt(this.#at(pathFlags, path), { access, modification, wallMs }));
  }

  linkAt(
    oldPathFlags: PathFlags,
    oldPath: string,
    newDescriptor: Descriptor,
    newPath: string,
  ): Promise<Outcome<undefined>> {
    return this.#changeBoth(newDescriptor, (base) =>
      changes.linkTo(this.#at(oldPathFlags, oldPath), { base, path: newPath }),
    );
  }

  openAt(pathFlags: PathFlags, path: string, open: OpenFlags, flags: DescriptorFlags): Promise<Outcome<Descriptor>> {
    const { context } = this;
    return this.#attempt(async () => {
      this.#needDirectory();
      const changing = open.create === true || open.truncate === true || flags.write === true;
      if (changing || flags.mutateDirectory === true) this.#needGrant();
      const { base, followLast } = this.#at(pathFlags, path);
      const node = await withFile(context, () => openAt(base, { path, followLast, open, flags }));
      node.whenClosed(() => context.openFiles.give());
      try {
        // A directory below inherits the right to be changed, asked for or not: C libraries do not ask.
        return new Descriptor(context, node, { flags, writable: this.#writable });
      } finally {
        node.release();
      }
    });
  }

  readlinkAt(path: string): Promise<Outcome<string>> {
    return this.#attempt(async () => {
      this.#needDirectory();
      return changes.readSymlinkAt(this.#node, path);
    });
  }

  removeDirectoryAt(path: string): Promise<Outcome<undefined>> {
    return this.#change(() => changes.removeDirectory(this.#node, path));
  }

  renameAt(oldPath: string, newDescriptor: Descriptor, newPath: string): Promise<Outcome<undefined>> {
    return this.#changeBoth(newDescriptor, (base) =>
      changes.renameTo({ base: this.#node, path: oldPath }, { base, path: newPath }),
    );
  }

  symlinkAt(target: string, path: string): Promise<Outcome<undefined>> {
    return this.#change(() => changes.createSymlink(this.#node, path, target));
  }

  unlinkFileAt(path: string): Promise<Outcome<undefined>> {
    return this.#change(() => changes.unlinkFile(this.#node, path));
  }

  isSameObject(other: Descriptor): boolean {
    return this.#node.device === other.#node.device && this.#node.inode === other.#node.inode;
  }

  metadataHash(): Promise<Outcome<MetadataHash>> {
    return this.#attempt(async () => metadataHash(await fstat(this.#node.fd)));
  }

  metadataHashAt(pathFlags: PathFlags, path: string): Promise<Outcome<MetadataHash>> {
    return this.#attempt(async () => metadataHash(await changes.statAt(this.#at(pathFlags, path))));
  }

  protected override dropped(): void {
    this.#release();
  }

  #attempt<Value>(run: () => Promise<Value>): Promise<Outcome<Value>> {
    return answer(this.context, () => this.#node.during(run));
  }

  /** A change to a name in this directory. */
  #change(run: () => Promise<void>): Promise<Outcome<undefined>> {
    return this.#attempt(async () => {
      this.#needDirectory();
      this.#needGrant();
      await run();
      return undefined;
    });
  }

  #changeBoth(other: Descriptor, run: (base: OpenNode) => Promise<void>): Promise<Outcome<undefined>> {
    return this.#change(() => {
      other.#needDirectory();
      other.#needGrant();
      return other.#node.during(() => run(other.#node));
    });
  }

  #output(position: WritePosition): Outcome<OutputStream> {
    return answerNow(() => {
      this.#needWritten();
      const sink = new FileSink(this.#node, position, this.context.settings.bounds.bufferBytesMax);
      return new OutputStream(this.context, sink, this.#node.hold(this.context));
    });
  }

  #at(flags: PathFlags, path: string): changes.PathIn {
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

const nothing = (): undefined => undefined;
