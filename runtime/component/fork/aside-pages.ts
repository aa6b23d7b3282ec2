import type { AsideMemory } from "./memory-image.ts";
import type { PageCalls } from "./page-calls.ts";
import type { SideRoom } from "./side-room.ts";

interface Range {
  readonly address: bigint;
  readonly byteLength: number;
}

interface Move {
  readonly ranges: readonly Range[];
  readonly room: SideRoom;
  readonly writtenBytes: number;
}

/** Moves the pages of all ranges into the room, or of none. */
export function moveAside(calls: PageCalls, { ranges, room, writtenBytes }: Move): AsideMemory | undefined {
  const aside = new AsidePages(calls, room, writtenBytes);
  for (const range of ranges) {
    if (aside.take(range)) continue;
    // What was moved away a moment ago can be moved back; a memory of which it cannot is lost, as its image says.
    if (!aside.putBack()) throw new Error("a guest's pages could not be put back");
    return undefined;
  }
  return aside;
}

/** Pages of one memory that wait in a room. */
class AsidePages implements AsideMemory {
  readonly byteLength: number;
  readonly #calls: PageCalls;
  readonly #room: SideRoom;
  readonly #taken: (Range & { readonly place: bigint })[] = [];

  constructor(calls: PageCalls, room: SideRoom, byteLength: number) {
    this.#calls = calls;
    this.#room = room;
    this.byteLength = byteLength;
  }

  take(range: Range): boolean {
    const place = this.#room.take(range.byteLength);
    if (place === undefined) return false;
    if (!this.#calls.move(range.address, range.byteLength, place)) {
      this.#room.giveEmpty(place, range.byteLength);
      return false;
    }
    this.#taken.push({ ...range, place });
    return true;
  }

  putBack(): boolean {
    let isBack = true;
    for (const { address, byteLength, place } of this.#taken.splice(0)) {
      if (isBack && this.#calls.move(place, byteLength, address)) this.#room.giveEmpty(place, byteLength);
      else {
        isBack = false;
        this.#room.give(place, byteLength);
      }
    }
    return isBack;
  }

  dispose(): void {
    for (const { byteLength, place } of this.#taken.splice(0)) this.#room.give(place, byteLength);
  }
}
