import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import type { SinkFailure } from "../byte-sink.ts";
import { FileFault, fileErrorOf } from "../filesystem/file-error.ts";
import type { FileSource } from "../filesystem/file-source.ts";
import type { WritePosition } from "../filesystem/file-sink.ts";
import { openGranted } from "../filesystem/granted-directory.ts";
import { type MetadataHash, metadataHash, type NewTimestamp } from "../filesystem/metadata.ts";
import type { DescriptorFlags, OpenFlags } from "../filesystem/open-at.ts";
import { closeOnThrow, type OpenDescriptor, type PathFlags } from "../filesystem/open-descriptor.ts";
import type { Caller, GuestContext } from "../guest-context.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { err, ok } from "../result.ts";
import { ByteReader, emptyReader } from "./byte-reader.ts";
import { type DirectoryEntry, EntryReader } from "./entry-reader.ts";
import {
  type DescriptorStat,
  descriptorStat,
  type DescriptorType,
  descriptorType,
  fileAnswer,
  fileError,
  type FileError,
  fileErrorOfCause,
  type FileOutcome,
} from "./file-values.ts";
import { pourAll } from "./pour.ts";
import { futureOf } from "./waiting.ts";

type Later<Value> = Promise<FileOutcome<Value>>;

/** `wasi:filesystem/types.descriptor` of 0.3: `../filesystem/` with streams and futures. */
export class Descriptor extends Resource {
  readonly #open: OpenDescriptor;

  /** Closes `open` when it is dropped. */
  constructor(context: GuestContext, open: OpenDescriptor) {
    super(context);
    this.#open = open;
  }

  readViaStream(offset: bigint): [StreamReader<number>, Later<undefined>] {
    let source: FileSource;
    try {
      source = this.#open.source(offset);
    } catch (error) {
      return [emptyReader, Promise.resolve(err(refusal(error)))];
    }
    const reader = new ByteReader<FileError>(this.context, {
      source,
      release: () => source.close(),
      codeOf: fileErrorOfCause,
    });
    return [reader, reader.outcome];
  }

  writeViaStream(data: StreamReader<number>, offset: bigint): FutureReader<FileOutcome<undefined>> {
    return futureOf(this.#pour(data, { kind: "at", offset }));
  }

  appendViaStream(data: StreamReader<number>): FutureReader<FileOutcome<undefined>> {
    return futureOf(this.#pour(data, { kind: "end" }));
  }

  advise(_offset: bigint, _length: bigint, _advice: string): Later<undefined> {
    return this.#attempt(async (open) => open.advise());
  }

  syncData(): Later<undefined> {
    return this.#attempt((open) => open.syncData());
  }

  sync(): Later<undefined> {
    return this.#attempt((open) => open.sync());
  }

  getFlags(): FileOutcome<Required<DescriptorFlags>> {
    return ok(this.#open.flags);
  }

  getType(): FileOutcome<DescriptorType> {
    return ok(descriptorType(this.#open.type));
  }

  setSize(size: bigint): Later<undefined> {
    return this.#attempt((open) => open.setSize(size));
  }

  setTimes(access: NewTimestamp, modification: NewTimestamp): Later<undefined> {
    return this.#attempt((open) => open.setTimes(access, modification));
  }

  readDirectory(): [StreamReader<DirectoryEntry>, Later<undefined>] {
    const reader = new EntryReader(this.context, () => this.#open.during((open) => open.readDirectory()));
    return [reader, reader.outcome];
  }

  createDirectoryAt(path: string): Later<undefined> {
    return this.#attempt((open) => open.createDirectoryAt(path));
  }

  stat(): Later<DescriptorStat> {
    return this.#attempt(async (open) => descriptorStat(await open.stat()));
  }

  statAt(flags: PathFlags, path: string): Later<DescriptorStat> {
    return this.#attempt(async (open) => descriptorStat(await open.statAt({ flags, path })));
  }

  setTimesAt(flags: PathFlags, path: string, access: NewTimestamp, modification: NewTimestamp): Later<undefined> {
    return this.#attempt((open) => open.setTimesAt({ flags, path }, access, modification));
  }

  linkAt(flags: PathFlags, path: string, other: Descriptor, newPath: string): Later<undefined> {
    return this.#attempt((open) => open.linkAt({ flags, path }, other.#open, newPath));
  }

  openAt(pathFlags: PathFlags, path: string, openFlags: OpenFlags, flags: DescriptorFlags): Later<Descriptor> {
    return this.#attempt(async (open) => {
      const opened = await open.openAt({ flags: pathFlags, path }, openFlags, flags);
      return closeOnThrow(opened, () => new Descriptor(this.context, opened));
    });
  }

  readlinkAt(path: string): Later<string> {
    return this.#attempt((open) => open.readlinkAt(path));
  }

  removeDirectoryAt(path: string): Later<undefined> {
    return this.#attempt((open) => open.removeDirectoryAt(path));
  }

  renameAt(path: string, other: Descriptor, newPath: string): Later<undefined> {
    return this.#attempt((open) => open.renameAt(path, other.#open, newPath));
  }

  symlinkAt(target: string, path: string): Later<undefined> {
    return this.#attempt((open) => open.symlinkAt(target, path));
  }

  unlinkFileAt(path: string): Later<undefined> {
    return this.#attempt((open) => open.unlinkFileAt(path));
  }

  isSameObject(other: Descriptor): boolean {
    return this.#open.isSameObject(other.#open);
  }

  metadataHash(): Later<MetadataHash> {
    return this.#attempt(async (open) => metadataHash(await open.stat()));
  }

  metadataHashAt(flags: PathFlags, path: string): Later<MetadataHash> {
    return this.#attempt(async (open) => metadataHash(await open.statAt({ flags, path })));
  }

  protected override dropped(): void {
    this.#open.close();
  }

  #attempt<Value>(run: (open: OpenDescriptor) => Promise<Value>): Later<Value> {
    return fileAnswer(this.context, () => this.#open.during(run));
  }

  async #pour(data: StreamReader<number>, position: WritePosition): Later<undefined> {
    try {
      const { sink, release } = this.#open.sink(position);
      const codeOf = (failure: SinkFailure): FileError =>
        fileErrorOfCause(failure.kind === "broken" ? failure.cause : undefined);
      return await pourAll(this.context, data, { sink, release, codeOf });
    } catch (error) {
      data.drop();
      return err(refusal(error));
    }
  }
}

function refusal(error: unknown): FileError {
  if (error instanceof FileFault) return fileError(fileErrorOf(error));
  throw error;
}

/** wasi:filesystem/types@0.3 */
export const filesystemTypes = (_caller: Caller): object => ({
  Descriptor: guestClass(Descriptor, notConstructible, {}),
});

/** wasi:filesystem/preopens@0.3: what the launch grants. */
export const filesystemPreopens = (caller: Caller): object => ({
  getDirectories: () => {
    const { context } = caller;
    return context.settings.directories.map((granted) => {
      const opened = openGranted(context, granted);
      return [closeOnThrow(opened, () => new Descriptor(context, opened)), granted.guest];
    });
  },
});
