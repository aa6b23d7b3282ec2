import { isDigest, type Digest } from "./digest.ts";
import { ImageFault } from "./fault.ts";

/** Reads hostile JSON field by field and remembers every one that is wrong, by path. */
export class JsonFields {
  readonly problems: string[] = [];

  /** @throws ImageFault MANIFEST_INVALID naming every problem; returns when there was none. */
  finish(what: string): void {
    if (this.problems.length === 0) return;
    // Ten are enough to act on; a hostile document could have a million.
    const shown = this.problems.slice(0, 10).join("; ");
    const more = this.problems.length > 10 ? `; and ${this.problems.length - 10} more` : "";
    throw new ImageFault("MANIFEST_INVALID", `${what} is not valid: ${shown}${more}`);
  }

  wrong(path: string, problem: string): void {
    this.problems.push(`${path} ${problem}`);
  }

  object(value: unknown, path: string): Readonly<Record<string, unknown>> {
    if (isObject(value)) return value;
    this.wrong(path, "must be an object");
    return {};
  }

  /** Absent and null are an empty object. */
  optionalObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
    return value === undefined || value === null ? {} : this.object(value, path);
  }

  /** Absent and null are an empty list. */
  list(value: unknown, path: string, countMax: number): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.wrong(path, "must be a list");
      return [];
    }
    if (value.length > countMax) {
      this.wrong(path, `has ${value.length} entries, at most ${countMax} are read`);
      return [];
    }
    return value as readonly unknown[];
  }

  string(value: unknown, path: string): string {
    if (typeof value === "string") return value;
    this.wrong(path, "must be text");
    return "";
  }

  /** Absent and null are undefined. */
  optionalString(value: unknown, path: string): string | undefined {
    return value === undefined || value === null ? undefined : this.string(value, path);
  }

  strings(value: unknown, path: string, countMax: number): readonly string[] {
    return this.list(value, path, countMax).map((item, index) => this.string(item, `${path}[${index}]`));
  }

  /** Absent and null are an empty map. */
  stringMap(value: unknown, path: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.optionalObject(value, path));
    // fromEntries defines properties, so a key `__proto__` is a key like any other.
    return Object.fromEntries(entries.map(([key, item]) => [key, this.string(item, `${path}.${key}`)]));
  }

  size(value: unknown, path: string): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    this.wrong(path, "must be a whole number of bytes, not negative");
    return 0;
  }

  digest(value: unknown, path: string): Digest {
    const text = this.string(value, path);
    if (isDigest(text)) return text;
    this.wrong(path, "must be a sha256 or sha512 digest");
    return placeholder;
  }
}

// Stands for a digest that was wrong; never leaves, because finish() throws.
const placeholder = `sha256:${"0".repeat(64)}` as Digest;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Parses JSON whose nesting is bounded, so that nothing that walks it can run out of stack.
 *
 * @throws ImageFault MANIFEST_INVALID
 */
export function parseJson(bytes: Uint8Array, what: string, depthMax: number): unknown {
  if (nestingOf(bytes) > depthMax) {
    throw new ImageFault("MANIFEST_INVALID", `${what} is nested deeper than ${depthMax} levels`);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ImageFault("MANIFEST_INVALID", `${what} is not JSON`, { cause: error });
  }
}

/** The deepest nesting of brackets outside strings. Right for JSON; of other bytes it does not matter. */
function nestingOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (inString) {
      if (byte === 0x5c) index++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return deepest;
}
