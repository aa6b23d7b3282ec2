import type { AsideMemory } from "./memory-image.ts";
import type { PageCalls } from "./page-calls.ts";
import type { SideRoom } from "./side-room.ts";

/** In bytes from the memory's beginning; in one mapping. */
interface Range {
  readonly start: number;
  readonly end: number;
}

interface Move {
  readonly memory: WebAssembly.Memory;
  /** Where the memory is. */
  readonly address: bigint;
  /** In their order. */
  readonly ranges: readonly Range[];
  readonly room: SideRoom;
  readonly writtenBytes: number;
}

/** Moves the pages of all ranges into the room, or of none. */
export function moveAside(calls: PageCalls, move: Move): AsideMemory | undefined {
  const aside = new AsidePages(calls, move);
  for (const range of move.ranges) {
    if (aside.take(range)) continue;
    // What was moved away a moment ago can be moved back; a memory of which it cannot is lost, as its image says.
    if (!aside.putBack(false)) throw new Error("a guest's pages could not be put back");
    return undefined;
  }
  return aside;
}

/** Pages of one memory that wait in a room. */
class AsidePages implements AsideMemory {
  readonly byteLength: number;
  readonly #calls: PageCalls;
  readonly #memory: WebAssembly.Memory;
  readonly #address: bigint;
  readonly #room: SideRoom;
  readonly #taken: (Range & { readonly place: bigint })[] = [];

  constructor(calls: PageCalls, { memory, address, room, writtenBytes }: Move) {
    this.#calls = calls;
    this.#memory = memory;
    this.#address = address;
    this.#room = room;
    this.byteLength = writtenBytes;
  }

  take({ start, end }: Range): boolean {
    const byteLength = end - start;
    const place = this.#room.take(byteLength);
    if (place === undefined) return false;
    if (!this.#calls.move(this.#at(start), byteLength, place)) {
      this.#room.giveEmpty(place, byteLength);
      return false;
    }
    this.#taken.push({ start, end, place });
    return true;
  }

  putBack(isWritten: boolean): boolean {
    let isBack = true;
    let done = 0;
    for (const { start, end, place } of this.#taken.splice(0)) {
      if (isWritten) isBack &&= this.#discard(done, start);
      if (isBack && this.#calls.move(place, end - start, this.#at(start))) this.#room.giveEmpty(place, end - start);
      else {
        isBack = false;
        this.#room.give(place, end - start);
      }
      done = end;
    }
    return isBack && (!isWritten || this.#discard(done, this.#memory.buffer.byteLength));
  }

  dispose(): void {
    for (const { start, end, place } of this.#taken.splice(0)) this.#room.give(place, end - start);
  }

  #discard(start: number, end: number): boolean {
    return start === end || this.#calls.discard(this.#at(start), end - start);
  }

  #at(offset: number): bigint {
    return this.#address + BigInt(offset);
  }
}
