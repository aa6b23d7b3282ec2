import { breachText } from "@shallop/sdk/internal";
import { GuestFault } from "../guest-fault.ts";
import type { Caller, GuestContext } from "./guest-context.ts";
import { type HeaderProblem, isHeaderValue, latin1, nameProblem } from "./header-rules.ts";
import { guestClass, Resource } from "./resource.ts";
import { done, err, ok, type Result } from "./result.ts";

/** `wasi:http/types.header-error`; 0.2 has no `size-exceeded`, and its fields do not give it. */
export interface HeaderError {
  readonly tag: HeaderProblem | "immutable" | "size-exceeded";
}

type GivenEntry = readonly [name: string, value: Uint8Array];

/** One name and one value, which is read as bytes or as text, mostly as one of them only. */
class Entry {
  readonly name: string;
  /** The name in the case that it was given in. */
  readonly written: string;
  #bytes: Uint8Array | undefined;
  #text: string | undefined;

  constructor(written: string, value: Uint8Array | string) {
    this.name = written.toLowerCase();
    this.written = written;
    if (typeof value === "string") this.#text = value;
    else this.#bytes = value;
  }

  get bytes(): Uint8Array {
    return (this.#bytes ??= Buffer.from(this.#text ?? "", "latin1"));
  }

  /** A character for each byte. */
  get text(): string {
    return (this.#text ??= latin1(this.bytes));
  }

  get size(): number {
    return sizeOf(this.name, this.#bytes ?? this.#text ?? "");
  }
}

// What each entry costs beside its bytes, as HTTP/2 counts it (RFC 9113, 6.5.2).
const entryOverheadBytes = 32;

/** `wasi:http/types.fields`: an ordered list of name and value; names are compared without case. */
export class Fields extends Resource {
  #entries: Entry[] = [];
  #bytes = 0;
  #immutable = false;

  /** `flat`: name, value, name, value, in lower case and checked already; values as latin1. */
  static ofFlat<Made extends Fields>(
    this: new (context: GuestContext) => Made,
    context: GuestContext,
    flat: readonly string[],
  ): Made {
    const fields = new this(context);
    for (let index = 0; index + 1 < flat.length; index += 2) {
      fields.#add(flat[index] ?? "", flat[index + 1] ?? "");
    }
    fields.#immutable = true;
    return fields;
  }

  static fromList(context: GuestContext, entries: readonly GivenEntry[]): Result<Fields, HeaderError> {
    const fields = new Fields(context);
    for (const [name, value] of entries) {
      const result = fields.append(name, value);
      if (result.tag === "ok") continue;
      fields[Symbol.dispose]();
      return result;
    }
    return ok(fields);
  }

  get(name: string): readonly Uint8Array[] {
    const wanted = name.toLowerCase();
    return this.#entries.filter((entry) => entry.name === wanted).map((entry) => entry.bytes);
  }

  /** As `get`, with a character for each byte. */
  getText(name: string): readonly string[] {
    return this.has(name) ? this.#entries.filter((entry) => entry.name === name).map((entry) => entry.text) : noTexts;
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase();
    return this.#entries.some((entry) => entry.name === wanted);
  }

  set(name: string, values: readonly Uint8Array[]): Result<undefined, HeaderError> {
    const problem = this.#problem(name) ?? values.map(valueProblem).find((one) => one !== undefined);
    if (problem !== undefined) return err({ tag: problem });
    this.#remove(name);
    for (const value of values) this.#add(name, value);
    return done;
  }

  delete(name: string): Result<undefined, HeaderError> {
    const problem = this.#problem(name);
    if (problem !== undefined) return err({ tag: problem });
    this.#remove(name);
    return done;
  }

  append(name: string, value: Uint8Array): Result<undefined, HeaderError> {
    const problem = this.#problem(name) ?? valueProblem(value);
    if (problem !== undefined) return err({ tag: problem });
    this.#add(name, value);
    return done;
  }

  entries(): readonly GivenEntry[] {
    return this.#entries.map(({ name, bytes }) => [name, bytes]);
  }

  clone(): Fields {
    return this.copyInto(new Fields(this.context));
  }

  /** The message has begun or belongs to somebody else: a guest may only read now. */
  freeze(): this {
    this.#immutable = true;
    return this;
  }

  /** Another handle of the same, for `headers()` of a message. */
  immutableCopy(): Fields {
    return this.clone().freeze();
  }

  toFlat(): string[] {
    const flat: string[] = [];
    for (const { name, text } of this.#entries) flat.push(name, text);
    return flat;
  }

  protected copyInto<Copy extends Fields>(copy: Copy): Copy {
    copy.#entries = [...this.#entries];
    copy.#bytes = this.#bytes;
    return copy;
  }

  protected writtenEntries(): readonly GivenEntry[] {
    return this.#entries.map(({ written, bytes }) => [written, bytes]);
  }

  /**
   * Whether `values` more are within bounds, once those of `replaced` are gone. What are not the guest is told of by an error, and
   * may have failed of since.
   */
  protected fits(name: string, values: readonly Uint8Array[], replaced?: string): boolean {
    const { headersMax, headerBytesMax } = this.context.settings.bounds;
    const gone = replaced === undefined ? undefined : replaced.toLowerCase();
    const kept = gone === undefined ? this.#entries : this.#entries.filter((entry) => entry.name !== gone);
    const keptBytes = gone === undefined ? this.#bytes : sumOf(kept);
    const addedBytes = values.reduce((sum, value) => sum + sizeOf(name, value), 0);
    const isMany = kept.length + values.length > headersMax;
    if (!isMany && keptBytes + addedBytes <= headerBytesMax) return true;
    const text = isMany ? breachText("headersMax", headersMax) : breachText("headerBytesMax", headerBytesMax);
    this.context.breach ??= new GuestFault("GUEST_HEADERS", text);
    return false;
  }

  #problem(name: string): HeaderProblem | "immutable" | undefined {
    return this.#immutable ? "immutable" : nameProblem(name);
  }

  #remove(name: string): void {
    const unwanted = name.toLowerCase();
    this.#entries = this.#entries.filter((entry) => entry.name !== unwanted);
    this.#bytes = sumOf(this.#entries);
  }

  /** @throws GuestFault GUEST_HEADERS */
  #add(name: string, value: Uint8Array | string): void {
    const { headersMax, headerBytesMax } = this.context.settings.bounds;
    this.#bytes += sizeOf(name, value);
    if (this.#entries.length >= headersMax) throw new GuestFault("GUEST_HEADERS", breachText("headersMax", headersMax));
    if (this.#bytes > headerBytesMax) {
      throw new GuestFault("GUEST_HEADERS", breachText("headerBytesMax", headerBytesMax));
    }
    this.#entries.push(new Entry(name, value));
  }
}

const noTexts: readonly string[] = [];
const sizeOf = (name: string, value: Uint8Array | string): number => name.length + value.length + entryOverheadBytes;
const sumOf = (entries: readonly Entry[]): number => entries.reduce((sum, entry) => sum + entry.size, 0);
const valueProblem = (value: Uint8Array): HeaderProblem | undefined =>
  isHeaderValue(value) ? undefined : "invalid-syntax";

/** The class for one instance's bindings. */
export const fieldsClass = (caller: Caller): object =>
  guestClass(Fields, () => new Fields(caller.context), {
    fromList: (entries: readonly GivenEntry[]) => Fields.fromList(caller.context, entries),
  });
