import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject } from "@shallop/sdk/api";
import type { Log } from "@shallop/sdk/internal";
import type { ContainerRecord } from "./container-record.ts";

/** Things of one kind, a JSON file each, replaced as a whole. */
export class RecordStore<Stored extends object> {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open<Stored extends object>(directory: string): Promise<RecordStore<Stored>> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new RecordStore(directory);
  }

  /** Everything that is there. A file that cannot be read was cut off in an accident; it is told, and left. */
  async all(log: Log): Promise<readonly Stored[]> {
    const files = (await readdir(this.#directory)).filter((name) => name.endsWith(".json"));
    const found: Stored[] = [];
    for (const name of files) {
      try {
        const value: unknown = JSON.parse(await readFile(join(this.#directory, name), "utf8"));
        // Written by this process alone, in a directory that nobody else may open.
        if (isJsonObject(value)) found.push(value as unknown as Stored);
      } catch (error) {
        log.error("a record cannot be read", error, { file: join(this.#directory, name) });
      }
    }
    return found;
  }

  /** @param key a file name of letters, digits, `_`, `.` and `-` */
  async put(key: string, value: Stored): Promise<void> {
    const path = join(this.#directory, `${key}.json`);
    await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async remove(key: string): Promise<void> {
    await rm(join(this.#directory, `${key}.json`), { force: true });
  }
}

export type ContainerRecords = RecordStore<ContainerRecord>;
