import type { AsideInstances } from "./fork/instance-image.ts";
import { GuestFault } from "./guest-fault.ts";
import { guestWatch, inHost } from "./instance/guest-watch.ts";
import type { AsideGuest, LiveTurn } from "./instance/live-instance.ts";
import type { LiveFork } from "./live-fork.ts";
import type { GuestContext } from "./wasi/guest-context.ts";

/**
 * Forks that take turns in one live instance. While the guest of one waits for the host its pages, globals and handles are set aside, and
 * the instance is as it was before its first request, for another. Whoever goes on finds his own again. What a guest has changed of its memory
 * is little, and the pages stay where they are, so that the next one finds them written: a further instance takes milliseconds.
 */
export class Turns {
  readonly fork: LiveFork;
  readonly #all = new Set<Turn>();
  /** Whose state the instance holds; undefined when it is nobody's: of one that has left. */
  #now: Turn | undefined;
  /** Nobody is in the instance, and it is not as it was before its first request. */
  #isWritten = false;
  /** One has ended in a way that may have left something: nobody else comes in. */
  #isSpent = false;
  #lost: GuestFault | undefined;

  constructor(fork: LiveFork) {
    this.fork = fork;
  }

  /** For the instance as it is: fresh, and nobody in it. */
  first(): Turn {
    return this.#come();
  }

  /** One fork more, in a state as fresh as any; undefined while the one that is in the instance does not wait, or cannot be set aside. */
  another(context: () => GuestContext): Turn | undefined {
    const { image, live } = this.fork;
    if (image === undefined || this.#isSpent || this.#now?.isSuspended === false || image.hasGrown) return undefined;
    if (!inHost(() => this.#vacate() && this.#clear())) return undefined;
    this.fork.caller.context = context();
    live.running = undefined;
    return this.#come();
  }

  /** @returns whether it was the last, and whether nothing of any is left that an image does not put back */
  leave(turn: Turn, isClean: boolean): { readonly isLast: boolean; readonly isClean: boolean } {
    if (!isClean) this.#isSpent = true;
    this.#all.delete(turn);
    turn.drop();
    if (this.#now === turn && this.#all.size > 0) {
      this.#now = undefined;
      // Its pages are dropped when the next one comes; but what waits may wait for long.
      const { image } = this.fork;
      if (image?.hasGrown === true) image.clear();
    }
    return { isLast: this.#all.size === 0, isClean: !this.#isSpent };
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** For `Turn`: its guest is at work from now on. @throws GuestFault */
  begin(turn: Turn): void {
    if (turn === this.#now) return;
    if (this.#lost !== undefined) throw this.#lost;
    const { live, caller } = this.fork;
    const wasInHost = guestWatch.inHost;
    guestWatch.inHost = true;
    const isVacant = turn.isOver ? this.#vacate() && this.#clear() : this.#vacate();
    if (!isVacant || (!turn.isOver && !turn.putBack(this.#isWritten))) throw this.#lose();
    guestWatch.inHost = wasInHost;
    this.#now = turn;
    live.turn = turn;
    live.running = turn.running;
    caller.context = turn.context;
    // What it catches of this it does in a state that is nobody's.
    if (turn.isOver) live.guest.fault = new GuestFault("GUEST_FAILED", "the guest went on after its end");
  }

  #come(): Turn {
    const turn = new Turn(this, this.fork.caller.context);
    this.#all.add(turn);
    this.#now = turn;
    this.fork.live.turn = turn;
    return turn;
  }

  /** Nobody is in the instance any more. False when who is cannot be set aside: nothing has changed then. */
  #vacate(): boolean {
    const { image, live } = this.fork;
    const now = this.#now;
    if (image === undefined) return false;
    if (now === undefined || now.isOver) {
      this.#isWritten = true;
      live.setAside();
    } else {
      const instances = image.setAside();
      if (instances === undefined) return false;
      this.#isWritten = false;
      now.setAside(instances, live.setAside());
    }
    this.#now = undefined;
    return true;
  }

  /** Of one that nobody is in: it is as it was before its first request. */
  #clear(): boolean {
    return !this.#isWritten || this.fork.image?.clear() === true;
  }

  /** The memory of the instance is not to be had for whoever is to go on: all that are in it end. */
  #lose(): GuestFault {
    guestWatch.inHost = false;
    this.#isSpent = true;
    this.#lost = new GuestFault(
      "REFUSED",
      "The process of this namespace has no address space left for the guest's memory.",
    );
    this.fork.live.guest.fault = this.#lost;
    return this.#lost;
  }
}

/** The place of one fork in a live instance. */
export class Turn implements LiveTurn {
  isSuspended = false;
  isOver = false;
  /** Told when its guest waits, and when it goes on. */
  running: ((isRunning: boolean) => void) | undefined;
  readonly context: GuestContext;
  readonly #turns: Turns;
  #instances: AsideInstances | undefined;
  #guest: AsideGuest | undefined;

  constructor(turns: Turns, context: GuestContext) {
    this.#turns = turns;
    this.context = context;
  }

  begin(): void {
    this.#turns.begin(this);
    this.isSuspended = false;
  }

  get isLeft(): boolean {
    return this.isOver && !this.#turns.isEmpty;
  }

  /** What of its memory waits; undefined while it is in the instance. */
  get asideBytes(): number | undefined {
    return this.#instances?.byteLength;
  }

  setAside(instances: AsideInstances, guest: AsideGuest): void {
    this.#instances = instances;
    this.#guest = guest;
  }

  /** `isWritten`: the instance is not as before its first request. False when it cannot be. */
  putBack(isWritten: boolean): boolean {
    const instances = this.#instances;
    const guest = this.#guest;
    this.#instances = undefined;
    this.#guest = undefined;
    if (instances?.putBack(isWritten) !== true || guest === undefined) return false;
    this.#turns.fork.live.putBack(guest);
    return true;
  }

  /** It is over. */
  drop(): void {
    this.isOver = true;
    this.#instances = undefined;
    this.#guest = undefined;
  }
}
