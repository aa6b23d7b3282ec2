/** https://html.spec.whatwg.org/#dom-structuredclone for plain data, dates, maps, sets, arrays of bytes and errors. */
export function structuredClone<T>(value: T): T {
  return copy(value, new Map()) as T;
}

function copy(value: unknown, done: Map<unknown, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new DOMException(`a ${typeof value} cannot be cloned`, "DataCloneError");
  }
  if (typeof value !== "object" || value === null) return value;
  if (done.has(value)) return done.get(value);
  const keep = <V>(made: V): V => {
    done.set(value, made);
    return made;
  };
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (ArrayBuffer.isView(value)) return keep(copyView(value));
  if (value instanceof Map) {
    const made = keep(new Map<unknown, unknown>());
    for (const [key, item] of value) made.set(copy(key, done), copy(item, done));
    return made;
  }
  if (value instanceof Set) {
    const made = keep(new Set<unknown>());
    for (const item of value) made.add(copy(item, done));
    return made;
  }
  if (value instanceof Error) return copyError(value, done);
  const made = keep(Array.isArray(value) ? [] : {}) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) made[key] = copy(item, done);
  return made;
}

function copyError(error: Error, done: Map<unknown, unknown>): Error {
  const made = new Error(error.message);
  done.set(error, made);
  const hidden = { configurable: true, writable: true, enumerable: false };
  if (error.name !== made.name) Object.defineProperty(made, "name", { ...hidden, value: error.name });
  Object.defineProperty(made, "stack", { ...hidden, value: error.stack });
  if ("cause" in error) Object.defineProperty(made, "cause", { ...hidden, value: copy(error.cause, done) });
  return made;
}

function copyView(view: ArrayBufferView): ArrayBufferView {
  const buffer = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const Kind = view.constructor as new (buffer: ArrayBufferLike) => ArrayBufferView;
  return new Kind(buffer);
}
