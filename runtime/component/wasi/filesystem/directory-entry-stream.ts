import type { GuestContext } from "../guest-context.ts";
import { Resource } from "../resource.ts";
import type { Result } from "../result.ts";
import { answer } from "./answer.ts";
import type { DirectoryEntry, DirectoryReader } from "./directory-reader.ts";
import type { FileErrorCode } from "./file-error.ts";

/** `wasi:filesystem/types.directory-entry-stream`. */
export class DirectoryEntryStream extends Resource {
  readonly #reader: DirectoryReader;

  /** Closes `reader` when it is dropped. */
  constructor(context: GuestContext, reader: DirectoryReader) {
    super(context);
    this.#reader = reader;
  }

  readDirectoryEntry(): Promise<Result<DirectoryEntry | undefined, FileErrorCode>> {
    return answer(this.context, () => this.#reader.next());
  }

  protected override dropped(): void {
    this.#reader.close();
  }
}
