export type HeadersInit = Headers | Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** https://fetch.spec.whatwg.org/#headers-class */
export class Headers implements Iterable<[string, string]> {
  // Each value by itself, in order of arrival: set-cookie must never be joined.
  readonly #values = new Map<string, string[]>();

  constructor(init?: HeadersInit | null) {
    if (init === undefined || init === null) return;
    const entries = Symbol.iterator in init ? (init as Iterable<readonly [string, string]>) : Object.entries(init);
    for (const entry of entries) {
      const [name, value, ...rest] = entry;
      if (name === undefined || value === undefined || rest.length > 0)
        throw new TypeError("each header must be a pair of a name and a value");
      this.append(name, value);
    }
  }

  append(name: string, value: string): void {
    const key = normalName(name);
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [normalValue(value)]);
    else values.push(normalValue(value));
  }

  delete(name: string): void {
    this.#values.delete(normalName(name));
  }

  get(name: string): string | null {
    return this.#values.get(normalName(name))?.join(", ") ?? null;
  }

  getSetCookie(): string[] {
    return [...(this.#values.get("set-cookie") ?? [])];
  }

  has(name: string): boolean {
    return this.#values.has(normalName(name));
  }

  set(name: string, value: string): void {
    this.#values.set(normalName(name), [normalValue(value)]);
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArgument?: unknown): void {
    for (const [name, value] of this) callback.call(thisArgument, value, name, this);
  }

  *entries(): IterableIterator<[string, string]> {
    for (const name of [...this.#values.keys()].sort()) {
      const values = this.#values.get(name) ?? [];
      if (name === "set-cookie") for (const value of values) yield [name, value];
      else yield [name, values.join(", ")];
    }
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return "Headers";
  }
}

function normalName(name: string): string {
  const text = String(name);
  if (!token.test(text)) throw new TypeError(`${JSON.stringify(text)} is no header name`);
  return text.toLowerCase();
}

function normalValue(value: string): string {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  // oxlint-disable-next-line no-control-regex -- the standard forbids exactly these three
  if (/[\0\n\r]/.test(text)) throw new TypeError("a header value has a line break or a NUL in it");
  return text;
}
