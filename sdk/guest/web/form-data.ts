import { Blob, File } from "./blob.ts";

export type FormDataValue = string | File;

/** https://xhr.spec.whatwg.org/#interface-formdata */
export class FormData implements Iterable<[string, FormDataValue]> {
  #entries: [string, FormDataValue][] = [];

  append(name: string, value: string | Blob, filename?: string): void {
    this.#entries.push([String(name), valueOf(value, filename)]);
  }

  set(name: string, value: string | Blob, filename?: string): void {
    this.delete(name);
    this.append(name, value, filename);
  }

  delete(name: string): void {
    this.#entries = this.#entries.filter(([key]) => key !== name);
  }

  get(name: string): FormDataValue | null {
    return this.#entries.find(([key]) => key === name)?.[1] ?? null;
  }

  getAll(name: string): FormDataValue[] {
    return this.#entries.filter(([key]) => key === name).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.#entries.some(([key]) => key === name);
  }

  forEach(callback: (value: FormDataValue, name: string, form: FormData) => void): void {
    for (const [name, value] of this) callback(value, name, this);
  }

  entries(): IterableIterator<[string, FormDataValue]> {
    return this.#entries.values();
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.#entries) yield name;
  }

  *values(): IterableIterator<FormDataValue> {
    for (const [, value] of this.#entries) yield value;
  }

  [Symbol.iterator](): IterableIterator<[string, FormDataValue]> {
    return this.entries();
  }
}

function valueOf(value: string | Blob, filename: string | undefined): FormDataValue {
  if (!(value instanceof Blob)) return String(value);
  if (value instanceof File && filename === undefined) return value;
  return new File([value], filename ?? "blob", { type: value.type });
}
