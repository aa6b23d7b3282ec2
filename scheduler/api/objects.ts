import { ApiFault, isJsonObject, type JsonObject, type KindDefinition, objectAt, textAt } from "@shallop/sdk/api";
import { assert, describeError, errorCode } from "@shallop/sdk/internal";
import type { Store, StoredEntry } from "../store/store.ts";

/** An object as the store has it: what the server sets is there, `metadata.resourceVersion` included. */
export interface StoredObject extends JsonObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: StoredMeta;
}

interface StoredMeta extends JsonObject {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

export function isStoredObject(value: unknown): value is StoredObject {
  if (!isJsonObject(value)) return false;
  return (
    typeof value["apiVersion"] === "string" &&
    typeof value["kind"] === "string" &&
    ["name", "uid", "resourceVersion"].every((field) => textAt(value, "metadata", field) !== undefined)
  );
}

// Parsed objects that are kept: about 100 MB at 10 KiB each, more than the objects of a thousand services.
const parsedMax = 10_000;
const root = "/registry/";

/** Objects in the store, by kind: keys, encoding, and parsed forms kept by the revision that wrote them. */
export class ObjectStore {
  readonly store: Store;
  // A revision names one write of the whole store, so it names one parsed object; objects are never changed.
  readonly #parsed = new Map<number, StoredObject>();

  constructor(store: Store) {
    this.store = store;
  }

  /** `/registry/pods/NAMESPACE/NAME`, `/registry/serving.knative.dev/services/NAMESPACE/NAME`. */
  key(kind: KindDefinition, namespace: string | undefined, name: string): string {
    return `${this.prefix(kind, namespace)}${name}`;
  }

  /** Of all objects of a kind, or of those in one namespace. Ends in a slash. */
  prefix(kind: KindDefinition, namespace?: string): string {
    const { group, plural, namespaced } = kind.resource;
    const base = `${root}${group === "" ? "" : `${group}/`}${plural}/`;
    return namespaced && namespace !== undefined ? `${base}${namespace}/` : base;
  }

  get(kind: KindDefinition, namespace: string | undefined, name: string): StoredObject | undefined {
    const entry = this.store.get(this.key(kind, namespace, name));
    return entry === undefined ? undefined : this.parse(entry);
  }

  parse(entry: Pick<StoredEntry, "value" | "revision" | "key">): StoredObject {
    const known = this.#parsed.get(entry.revision);
    if (known !== undefined) return known;
    const parsed = this.parseAt(entry.value, entry.revision);
    this.#remember(entry.revision, parsed);
    return parsed;
  }

  /** Parses without remembering: what was there before an event. */
  parseAt(value: Uint8Array, revision: number): StoredObject {
    const json: unknown = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString());
    assert(isJsonObject(json), "the store holds objects");
    return stamped(json, revision);
  }

  /**
   * Writes `object` over the revision `expected` (0: new). Resolves with the object as stored.
   * @throws ApiFault Conflict when another write came first, InternalError when the store cannot write
   */
  async put(key: string, object: JsonObject, expected: number): Promise<StoredObject> {
    const { resourceVersion: _version, ...metadata } = objectAt(object, "metadata");
    const value = Buffer.from(JSON.stringify({ ...object, metadata }));
    const revision = await this.#attempt(key, () => this.store.put(key, value, expected));
    const stored = stamped(object, revision);
    this.#remember(revision, stored);
    return stored;
  }

  /** Deletes what was written at `expected`. Resolves with the object as it was, with the revision of its deletion. */
  async delete(key: string, object: StoredObject): Promise<StoredObject> {
    const revision = await this.#attempt(key, () => this.store.delete(key, revisionOf(object)));
    return stamped(object, revision);
  }

  async #attempt(key: string, write: () => Promise<number>): Promise<number> {
    try {
      return await write();
    } catch (error) {
      if (errorCode(error) === "REVISION_MISMATCH") throw new ApiFault("Conflict", `write of ${key} came second`);
      throw new ApiFault("InternalError", `cannot write ${key}: ${describeError(error)}`, {}, { cause: error });
    }
  }

  #remember(revision: number, object: StoredObject): void {
    if (this.#parsed.size >= parsedMax) {
      // The oldest revision goes; insertion order is close enough to age.
      for (const oldest of this.#parsed.keys()) {
        this.#parsed.delete(oldest);
        break;
      }
    }
    this.#parsed.set(revision, object);
  }
}

export const revisionOf = (object: StoredObject): number => Number(object.metadata.resourceVersion);

function stamped(object: JsonObject, revision: number): StoredObject {
  const result = { ...object, metadata: { ...objectAt(object, "metadata"), resourceVersion: String(revision) } };
  assert(isStoredObject(result), "a stored object has kind, name and uid");
  return result;
}
