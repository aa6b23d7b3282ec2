import type { StreamReader } from "../../abi/stream.ts";
import type { GuestContext } from "../guest-context.ts";
import { done, err } from "../result.ts";
import type { DirectoryReader } from "../filesystem/directory-reader.ts";
import { type DescriptorType, descriptorType, fileAnswer, type FileOutcome } from "./file-values.ts";
import { Outcome } from "./waiting.ts";

/** `wasi:filesystem/types.directory-entry`. */
export interface DirectoryEntry {
  readonly type: DescriptorType;
  readonly name: string;
}

// Entries of one read: Node itself fetches 32 at once.
const batchMax = 32;

/** The entries of a directory as a stream, and how it ended. */
export class EntryReader implements StreamReader<DirectoryEntry> {
  readonly #context: GuestContext;
  readonly #outcome = new Outcome<FileOutcome<undefined>>();
  readonly #opening: Promise<FileOutcome<DirectoryReader>>;
  #isOver = false;

  /** `open` has begun to open the directory, which is closed here. */
  constructor(context: GuestContext, open: () => Promise<DirectoryReader>) {
    this.#context = context;
    this.#opening = fileAnswer(context, open);
    // A guest may wait for the outcome alone.
    void this.#opening.then((opened) => {
      if (opened.tag === "err") this.#end(opened);
    });
  }

  get outcome(): Promise<FileOutcome<undefined>> {
    return this.#outcome.promise;
  }

  async read(countMax: number): Promise<readonly DirectoryEntry[] | undefined> {
    const opened = await this.#opening;
    if (this.#isOver || opened.tag === "err") return undefined;
    const entries: DirectoryEntry[] = [];
    while (entries.length < Math.min(countMax, batchMax)) {
      const next = await fileAnswer(this.#context, () => opened.val.next());
      if (this.#isOver) return undefined;
      if (next.tag === "err" || next.val === undefined) {
        // The next read, or none, finds that it is over.
        this.#end(next.tag === "err" ? err(next.val) : done);
        break;
      }
      entries.push({ type: descriptorType(next.val.type), name: next.val.name });
    }
    return entries.length === 0 ? undefined : entries;
  }

  drop(): void {
    this.#end(done);
  }

  #end(result: FileOutcome<undefined>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outcome.settle(result);
    void this.#opening.then((opened) => {
      if (opened.tag === "ok") opened.val.close();
    });
  }
}
