import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Digest, digestHex } from "@shallop/sdk/image";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { Evidence } from "@shallop/sdk/trust";

/** Images whose signatures are kept; those of the rest are asked for again. Some kilobytes each. */
const filesMax = 1_000;

interface EvidenceJson {
  readonly form: "simple" | "dsse";
  readonly payloadType?: string;
  readonly payload: string;
  readonly signature: string;
}

/**
 * Signatures of images that run here, so that they start again without their registry. Nothing is believed because it
 * is here: each is judged anew, by the keys of the day.
 */
export class StoredEvidence {
  readonly #directory: string;
  readonly #log: Log;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  async read(digest: Digest): Promise<readonly Evidence[]> {
    try {
      const json = JSON.parse(await readFile(this.#file(digest), "utf8")) as readonly EvidenceJson[];
      return json.map(({ form, payloadType = "", payload, signature }) => {
        const bytes = { payload: Buffer.from(payload, "base64"), signature: Buffer.from(signature, "base64") };
        return form === "simple" ? { form, ...bytes } : { form: "dsse", payloadType, ...bytes };
      });
    } catch {
      // Not here, or not whole: the registry has it.
      return [];
    }
  }

  async write(digest: Digest, evidence: readonly Evidence[]): Promise<void> {
    const json = evidence.map((one): EvidenceJson => ({
      form: one.form,
      ...(one.form === "dsse" ? { payloadType: one.payloadType } : {}),
      payload: Buffer.from(one.payload).toString("base64"),
      signature: Buffer.from(one.signature).toString("base64"),
    }));
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const names = await readdir(this.#directory);
      if (names.length >= filesMax) await rm(this.#directory, { recursive: true, force: true });
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const file = this.#file(digest);
      await writeFile(`${file}.new`, JSON.stringify(json), { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      this.#log.warn("signatures were not stored", { digest, error: describeError(error) });
    }
  }

  #file(digest: Digest): string {
    return path.join(this.#directory, `${digestHex(digest)}.json`);
  }
}
