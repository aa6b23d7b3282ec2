import type { Caller, GuestContext } from "../guest-context.ts";
import { Fields as Fields02, type HeaderError } from "../http-fields.ts";
import { guestClass } from "../resource.ts";
import { err, ok, type Result } from "../result.ts";

type Entry = readonly [name: string, value: Uint8Array];

/** `wasi:http/types.fields` of 0.3: as 0.2's, but names keep their case, and what does not fit is an error and no trap. */
export class Fields extends Fields02 {
  static override fromList(context: GuestContext, entries: readonly Entry[]): Result<Fields, HeaderError> {
    const fields = new Fields(context);
    for (const [name, value] of entries) {
      const result = fields.append(name, value);
      if (result.tag === "ok") continue;
      fields[Symbol.dispose]();
      return result;
    }
    return ok(fields);
  }

  override set(name: string, values: readonly Uint8Array[]): Result<undefined, HeaderError> {
    return this.fits(name, values, name) ? super.set(name, values) : sizeExceeded;
  }

  override append(name: string, value: Uint8Array): Result<undefined, HeaderError> {
    return this.fits(name, [value]) ? super.append(name, value) : sizeExceeded;
  }

  getAndDelete(name: string): Result<readonly Uint8Array[], HeaderError> {
    const values = this.get(name);
    const deleted = this.delete(name);
    return deleted.tag === "ok" ? ok(values) : deleted;
  }

  copyAll(): readonly Entry[] {
    return this.writtenEntries();
  }

  override clone(): Fields {
    return this.copyInto(new Fields(this.context));
  }

  override immutableCopy(): Fields {
    return this.clone().freeze();
  }
}

const sizeExceeded = err({ tag: "size-exceeded" } as const);

/** The class for one instance's bindings. */
export const fieldsClass = (caller: Caller): object =>
  guestClass(Fields, () => new Fields(caller.context), {
    fromList: (entries: readonly Entry[]) => Fields.fromList(caller.context, entries),
  });
