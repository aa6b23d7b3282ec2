import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testContext } from "../context.fixture.ts";
import type { GuestBounds, GuestContext } from "../guest-context.ts";
import type { Result } from "../result.ts";
import type { Descriptor } from "./descriptor.ts";
import type { FileErrorCode } from "./file-error.ts";
import { grantedDescriptor } from "./interfaces.ts";
import type { DescriptorFlags, OpenFlags } from "./open-at.ts";
import type { PathFlags } from "./open-descriptor.ts";
import { platformReach, type Reach } from "./open-node.ts";

/** A directory of its own, granted to an instance of its own. `outside` lies beside it and must never be seen. */
export class Sandbox implements Disposable {
  readonly outside: string;
  readonly host: string;
  readonly context: GuestContext;
  readonly root: Descriptor;
  readonly #parent: string;

  constructor(
    options: {
      readonly writable?: boolean;
      readonly reach?: Reach;
      readonly bounds?: Partial<GuestBounds>;
      readonly prepare?: (host: string, outside: string) => void;
    } = {},
  ) {
    this.#parent = mkdtempSync(join(tmpdir(), "wasi-filesystem-"));
    this.host = join(this.#parent, "granted");
    this.outside = join(this.#parent, "outside");
    this.context = testContext(options.bounds).context;
    mkdirSync(this.host);
    mkdirSync(this.outside);
    options.prepare?.(this.host, this.outside);
    const granted = { host: this.host, guest: "/data", writable: options.writable ?? true };
    this.root = grantedDescriptor(this.context, granted, options.reach ?? platformReach);
  }

  path(name: string): string {
    return join(this.host, name);
  }

  /** Opens below the root; for reading unless told otherwise. @throws the error code */
  async open(path: string, flags: DescriptorFlags = { read: true }, open: OpenFlags = {}): Promise<Descriptor> {
    return must(await this.root.openAt(follow, path, open, flags));
  }

  [Symbol.dispose](): void {
    this.context.end();
    rmSync(this.#parent, { recursive: true, force: true });
  }
}

/** Those that this system has: by path works everywhere. */
export const reaches: readonly Reach[] = platformReach === "path" ? ["path"] : ["descriptor", "path"];

export const follow: PathFlags = { symlinkFollow: true };
export const asIs: PathFlags = { symlinkFollow: false };

export function must<Value>(result: Result<Value, unknown>): Value {
  if (result.tag === "err") throw new Error(`unexpected error ${JSON.stringify(result.val)}`);
  return result.val;
}

/** The code of an error, or `ok`. */
export const codeOf = (result: Result<unknown, FileErrorCode>): FileErrorCode | "ok" =>
  result.tag === "ok" ? "ok" : result.val;

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);
