import { blocked, cancelled, completed, dropped } from "./puppet.ts";

// A stream as a test thinks of it: who waits with how much, and what each end will be told. Items are counted, not kept: the
// writer writes 0, 1, 2 …, and the reader has to read just that.

export type EndName = "read" | "write";

interface Wish {
  readonly count: number;
  done: number;
}

interface End {
  wish: Wish | undefined;
  /** The code of the event that waits to be taken. */
  event: number | undefined;
  isOver: boolean;
  isDropped: boolean;
}

const other = (end: EndName): EndName => (end === "read" ? "write" : "read");

export class StreamModel {
  readonly ends: Readonly<Record<EndName, End>> = { read: makeEnd(), write: makeEnd() };
  /** Items that have gone from one end to the other. */
  passed = 0;

  /** Whether the end may begin to copy. */
  isIdle(name: EndName): boolean {
    const { wish, event, isOver, isDropped } = this.ends[name];
    return wish === undefined && event === undefined && !isOver && !isDropped;
  }

  /** Whether the end has something that can be called off. */
  isBusy(name: EndName): boolean {
    const { wish, event } = this.ends[name];
    return wish !== undefined || event !== undefined;
  }

  /** @returns the code that the built-in returns */
  begin(name: EndName, count: number): number {
    const mine = this.ends[name];
    const theirs = this.ends[other(name)];
    if (theirs.isDropped) {
      mine.isOver = true;
      return dropped();
    }
    const { wish } = theirs;
    const mineWish = { count, done: 0 };
    if (wish === undefined) return this.#wait(mine, mineWish);
    const left = wish.count - wish.done;
    if (left > 0) {
      const copied = Math.min(left, count);
      wish.done += copied;
      this.passed += copied;
      if (copied > 0) theirs.event = completed(wish.done);
      return completed(copied);
    }
    // The other wants nothing more; it is told so, unless two that want nothing would pass each other forever.
    if (name === "write" && wish.count === 0 && count === 0) return completed();
    theirs.event = completed(wish.done);
    theirs.wish = undefined;
    return this.#wait(mine, mineWish);
  }

  cancel(name: EndName): number {
    const end = this.ends[name];
    const { wish } = end;
    // What is done in part, and could go on, is called off; what is done is done.
    if (wish !== undefined && (end.event === undefined || wish.done < wish.count)) end.event = cancelled(wish.done);
    return this.take(name) ?? blocked;
  }

  /** The event, if there is one. */
  take(name: EndName): number | undefined {
    const end = this.ends[name];
    const { event } = end;
    if (event === undefined) return undefined;
    end.event = undefined;
    end.wish = undefined;
    if ((event & 0xf) === 1) end.isOver = true;
    return event;
  }

  drop(name: EndName): void {
    this.ends[name].isDropped = true;
    const theirs = this.ends[other(name)];
    if (theirs.wish === undefined) return;
    theirs.event = dropped(theirs.wish.done);
    theirs.wish = undefined;
  }

  #wait(end: End, wish: Wish): number {
    end.wish = wish;
    return blocked;
  }
}

function makeEnd(): End {
  return { wish: undefined, event: undefined, isOver: false, isDropped: false };
}
