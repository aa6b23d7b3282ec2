import { inspected } from "./inspect.ts";
import { TextDecoder } from "./text-encoding.ts";

export type HeadersInit = Headers | Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

/** Names, and values as they are on the wire. */
export type ReceivedFields = readonly (readonly [string, Uint8Array])[];

// Header values are bytes on the wire; the Fetch standard shows them to JavaScript as isomorphic strings. What servers
// and clients send today is ASCII or UTF-8, and UTF-8 is what people expect to read.
const decoder = new TextDecoder();

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** https://fetch.spec.whatwg.org/#headers-class */
export class Headers implements Iterable<[string, string]> {
  // One name for each value, in order of arrival: set-cookie must never be joined. Few enough that looking through them is quick.
  #names: string[] = [];
  /** What came from the host is made text when somebody asks for it. */
  #values: (string | Uint8Array)[] = [];
  #unread: (() => ReceivedFields) | undefined;

  constructor(init?: HeadersInit | null) {
    if (init === undefined || init === null) return;
    if (init instanceof Headers) {
      this.#copy(init);
      return;
    }
    if (!(Symbol.iterator in init)) {
      for (const name of Object.keys(init)) this.append(name, init[name]!);
      return;
    }
    for (const entry of init as Iterable<Iterable<string>>) {
      const pair = Array.isArray(entry) ? (entry as readonly string[]) : [...entry];
      if (pair.length !== 2) throw new TypeError("each header must be a pair of a name and a value");
      this.append(pair[0]!, pair[1]!);
    }
  }

  /** Those of a message that has come. @param fields asked for once, and only when a header is */
  static received(fields: () => ReceivedFields): Headers {
    const headers = new Headers();
    headers.#unread = fields;
    return headers;
  }

  append(name: string, value: string): void {
    this.#read();
    this.#names.push(normalName(name));
    this.#values.push(normalValue(value));
  }

  delete(name: string): void {
    const key = normalName(name);
    this.#read();
    for (let at = this.#names.indexOf(key); at >= 0; at = this.#names.indexOf(key, at)) {
      this.#names.splice(at, 1);
      this.#values.splice(at, 1);
    }
  }

  get(name: string): string | null {
    const key = normalName(name);
    this.#read();
    return this.#names.includes(key) ? this.#valuesOf(key).join(", ") : null;
  }

  getSetCookie(): string[] {
    this.#read();
    return this.#valuesOf("set-cookie");
  }

  has(name: string): boolean {
    const key = normalName(name);
    this.#read();
    return this.#names.includes(key);
  }

  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  /** For a header that a message has unless it says otherwise. @param name in lower case */
  setMissing(name: string, value: string): void {
    this.#read();
    if (this.#names.includes(name)) return;
    this.#names.push(name);
    this.#values.push(value);
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArgument?: unknown): void {
    for (const [name, value] of this.list()) callback.call(thisArgument, value, name, this);
  }

  /** As the standard sorts and combines them. */
  list(): [string, string][] {
    this.#read();
    if (this.#names.length === 1) return [[this.#names[0]!, this.#valueAt(0)]];
    const list: [string, string][] = [];
    for (const name of [...new Set(this.#names)].sort()) {
      const values = this.#valuesOf(name);
      if (name === "set-cookie") for (const value of values) list.push([name, value]);
      else list.push([name, values.join(", ")]);
    }
    return list;
  }

  entries(): IterableIterator<[string, string]> {
    return this.list().values();
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.list()) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this.list()) yield value;
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return "Headers";
  }

  [inspected](): object {
    return Object.fromEntries(this.list());
  }

  #read(): void {
    const fields = this.#unread;
    if (fields === undefined) return;
    this.#unread = undefined;
    for (const [name, value] of fields()) {
      this.#names.push(name.toLowerCase());
      this.#values.push(value);
    }
  }

  #copy(other: Headers): void {
    other.#read();
    this.#names = [...other.#names];
    this.#values = [...other.#values];
  }

  #valuesOf(name: string): string[] {
    const values: string[] = [];
    for (let at = this.#names.indexOf(name); at >= 0; at = this.#names.indexOf(name, at + 1))
      values.push(this.#valueAt(at));
    return values;
  }

  #valueAt(at: number): string {
    const value = this.#values[at]!;
    return typeof value === "string" ? value : (this.#values[at] = normalValue(decoder.decode(value)));
  }
}

function normalName(name: string): string {
  const text = String(name);
  if (!token.test(text)) throw new TypeError(`${JSON.stringify(text)} is no header name`);
  return text.toLowerCase();
}

/** Nothing around it that is taken away, and nothing in it that is refused: most values. */
// oxlint-disable-next-line no-control-regex -- the standard forbids exactly these three
const plainValue = /^[^\0-\x20](?:[^\0\n\r]*[^\0-\x20])?$/;

function normalValue(value: string): string {
  const given = String(value);
  if (plainValue.test(given)) return given;
  const text = given.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  // oxlint-disable-next-line no-control-regex -- the standard forbids exactly these three
  if (/[\0\n\r]/.test(text)) throw new TypeError("a header value has a line break or a NUL in it");
  return text;
}
