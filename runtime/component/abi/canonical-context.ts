import { GuestFault } from "../guest-fault.ts";
import type { StringEncoding } from "../link/link-plan.ts";
import type { ComponentState } from "./component-state.ts";

export type Realloc = (oldPointer: number, oldBytes: number, alignment: number, newBytes: number) => number;

export interface CanonicalContextSettings {
  readonly state: ComponentState;
  readonly encoding: StringEncoding;
  readonly memory: WebAssembly.Memory | undefined;
  readonly realloc: Realloc | undefined;
}

/**
 * What the lists and strings of one call may come to, as JavaScript holds them. A guest of one page of memory can pass
 * eight thousand lists that are the same 64 KiB: without a bound that is half a gigabyte here. No interface of WASI passes
 * a hundredth of it at once.
 */
const passedBytesMax = 64 * 1024 * 1024;

const noBytes = Buffer.alloc(0);
const noView = new DataView(new ArrayBuffer(0));

/**
 * One set of canonical options of a live instance (CanonicalABI.md, "LiftOptions", "LiftLowerOptions"): the memory that
 * values are read from and written to, and the handles that go with them.
 */
export class CanonicalContext {
  readonly state: ComponentState;
  readonly encoding: StringEncoding;
  readonly #memory: WebAssembly.Memory | undefined;
  readonly #realloc: Realloc | undefined;
  #passedBytes = 0;
  #bytes: Buffer = noBytes;
  #view: DataView = noView;

  constructor({ state, encoding, memory, realloc }: CanonicalContextSettings) {
    this.state = state;
    this.encoding = encoding;
    this.#memory = memory;
    this.#realloc = realloc;
  }

  /** The memory as it is now: when it grows its buffer is another. */
  get bytes(): Buffer {
    // A grown memory leaves its old buffer detached, and its views with no length.
    if (this.#bytes.byteLength === 0) this.#refresh();
    return this.#bytes;
  }

  get view(): DataView {
    if (this.#bytes.byteLength === 0) this.#refresh();
    return this.#view;
  }

  /** @throws GuestFault when `byteLength` bytes at `pointer` are not all in the memory, or are not aligned */
  check(pointer: number, byteLength: number, alignment: number): void {
    if (pointer % alignment !== 0) {
      this.state.trap(`a pointer, ${pointer}, is not a multiple of ${alignment}`);
    }
    if (pointer + byteLength > this.bytes.byteLength) {
      this.state.trap(`${byteLength} bytes at ${pointer} are not in the guest's memory`);
    }
  }

  /** Values are about to be read that are passed together: arguments, or a result. */
  beginLift(): void {
    this.#passedBytes = 0;
  }

  /** Counts a list or string that is about to be read. @throws GuestFault GUEST_LIMIT */
  takePassed(byteLength: number): void {
    this.#passedBytes += byteLength;
    if (this.#passedBytes <= passedBytesMax) return;
    this.state.fail(new GuestFault("GUEST_LIMIT", `the guest passed more than ${passedBytesMax} bytes in one call`));
  }

  /** Space in the guest's memory, by the guest's own `realloc`. @throws GuestFault when it gives none that is usable */
  allocate(byteLength: number, alignment: number): number {
    if (this.#realloc === undefined) {
      return this.state.trap("the guest has no realloc, and a value needs space in its memory");
    }
    const { mayLeave } = this.state;
    this.state.mayLeave = false;
    const pointer = this.#realloc(0, 0, alignment, byteLength) >>> 0;
    this.state.throwIfOver();
    this.state.mayLeave = mayLeave;
    this.check(pointer, byteLength, alignment);
    return pointer;
  }

  #refresh(): void {
    if (this.#memory === undefined) return this.state.trap("the guest gave no memory to a function that needs one");
    const { buffer } = this.#memory;
    this.#bytes = Buffer.from(buffer);
    this.#view = new DataView(buffer);
  }
}
