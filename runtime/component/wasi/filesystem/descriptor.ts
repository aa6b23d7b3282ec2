import type { GuestContext } from "../guest-context.ts";
import { InputStream } from "../input-stream.ts";
import { OutputStream } from "../output-stream.ts";
import { Resource } from "../resource.ts";
import { ok, type Result } from "../result.ts";
import { answer, answerNow } from "./answer.ts";
import { DirectoryEntryStream } from "./directory-entry-stream.ts";
import type { FileErrorCode } from "./file-error.ts";
import type { WritePosition } from "./file-sink.ts";
import {
  type DescriptorStat,
  descriptorStat,
  type FileType,
  type MetadataHash,
  metadataHash,
  type NewTimestamp,
} from "./metadata.ts";
import type { DescriptorFlags, OpenFlags } from "./open-at.ts";
import { closeOnThrow, type OpenDescriptor, type PathFlags } from "./open-descriptor.ts";

type Outcome<Value> = Result<Value, FileErrorCode>;

/**
 * `wasi:filesystem/types.descriptor`. What a name is done to, or what an operation costs a disk's time, is awaited; what
 * has been known since the file was opened (its type, flags and identity) is answered at once, and so are streams, which
 * start when they are read or written.
 */
export class Descriptor extends Resource {
  readonly #open: OpenDescriptor;

  /** Closes `open` when it is dropped. */
  constructor(context: GuestContext, open: OpenDescriptor) {
    super(context);
    this.#open = open;
  }

  readViaStream(offset: bigint): Outcome<InputStream> {
    return answerNow(() => {
      const source = this.#open.source(offset);
      return new InputStream(this.context, source, () => source.close());
    });
  }

  writeViaStream(offset: bigint): Outcome<OutputStream> {
    return this.#output({ kind: "at", offset });
  }

  appendViaStream(): Outcome<OutputStream> {
    return this.#output({ kind: "end" });
  }

  advise(_offset: bigint, _length: bigint, _advice: string): Outcome<undefined> {
    return answerNow(() => this.#open.advise());
  }

  syncData(): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.syncData());
  }

  sync(): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.sync());
  }

  getFlags(): Outcome<Required<DescriptorFlags>> {
    return ok(this.#open.flags);
  }

  getType(): Outcome<FileType> {
    return ok(this.#open.type);
  }

  setSize(size: bigint): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.setSize(size));
  }

  setTimes(access: NewTimestamp, modification: NewTimestamp): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.setTimes(access, modification));
  }

  read(length: bigint, offset: bigint): Promise<Outcome<[bytes: Uint8Array, isEnd: boolean]>> {
    return this.#attempt((open) => open.read(length, offset));
  }

  write(bytes: Uint8Array, offset: bigint): Promise<Outcome<bigint>> {
    return this.#attempt((open) => open.write(bytes, offset));
  }

  readDirectory(): Promise<Outcome<DirectoryEntryStream>> {
    return this.#attempt(async (open) => {
      const reader = await open.readDirectory();
      return closeOnThrow(reader, () => new DirectoryEntryStream(this.context, reader));
    });
  }

  createDirectoryAt(path: string): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.createDirectoryAt(path));
  }

  stat(): Promise<Outcome<DescriptorStat>> {
    return this.#attempt(async (open) => descriptorStat(await open.stat()));
  }

  statAt(flags: PathFlags, path: string): Promise<Outcome<DescriptorStat>> {
    return this.#attempt(async (open) => descriptorStat(await open.statAt({ flags, path })));
  }

  setTimesAt(
    flags: PathFlags,
    path: string,
    access: NewTimestamp,
    modification: NewTimestamp,
  ): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.setTimesAt({ flags, path }, access, modification));
  }

  linkAt(flags: PathFlags, path: string, other: Descriptor, newPath: string): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.linkAt({ flags, path }, other.#open, newPath));
  }

  openAt(
    pathFlags: PathFlags,
    path: string,
    openFlags: OpenFlags,
    flags: DescriptorFlags,
  ): Promise<Outcome<Descriptor>> {
    return this.#attempt(async (open) => {
      const opened = await open.openAt({ flags: pathFlags, path }, openFlags, flags);
      return closeOnThrow(opened, () => new Descriptor(this.context, opened));
    });
  }

  readlinkAt(path: string): Promise<Outcome<string>> {
    return this.#attempt((open) => open.readlinkAt(path));
  }

  removeDirectoryAt(path: string): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.removeDirectoryAt(path));
  }

  renameAt(path: string, other: Descriptor, newPath: string): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.renameAt(path, other.#open, newPath));
  }

  symlinkAt(target: string, path: string): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.symlinkAt(target, path));
  }

  unlinkFileAt(path: string): Promise<Outcome<undefined>> {
    return this.#attempt((open) => open.unlinkFileAt(path));
  }

  isSameObject(other: Descriptor): boolean {
    return this.#open.isSameObject(other.#open);
  }

  metadataHash(): Promise<Outcome<MetadataHash>> {
    return this.#attempt(async (open) => metadataHash(await open.stat()));
  }

  metadataHashAt(flags: PathFlags, path: string): Promise<Outcome<MetadataHash>> {
    return this.#attempt(async (open) => metadataHash(await open.statAt({ flags, path })));
  }

  protected override dropped(): void {
    this.#open.close();
  }

  #attempt<Value>(run: (open: OpenDescriptor) => Promise<Value>): Promise<Outcome<Value>> {
    return answer(this.context, () => this.#open.during(run));
  }

  #output(position: WritePosition): Outcome<OutputStream> {
    return answerNow(() => {
      const { sink, release } = this.#open.sink(position);
      return new OutputStream(this.context, sink, release);
    });
  }
}
