import { assert, type Clock, type Random, type Timer } from "@shallop/sdk/internal";
import { stickyToken } from "../route/backends.ts";
import type { PodTarget, RevisionTarget, WatchedPod } from "../route/target.ts";
import { byDistance, type Distance, nearFirst } from "./near-first.ts";
import { type BalancePolicy, hasRoom, type Candidate, policyFor } from "./policy.ts";

/**
 * Requests that a pod of a revision without a limit may have at once. The most that the API admits as a limit, and
 * below what one wire connection carries (1024): more wait in the queue, where they are counted.
 */
export const unlimitedSlots = 1000;

// A pod that could not be reached is left alone this long, doubling while it goes on: long enough not to hammer a
// host that restarts, short enough that a pod that is back is used at once.
const setAsideMsMin = 100;
const setAsideMsMax = 1_000;
// A pod that nobody but an activation has spoken of, so that nobody will say when it is gone, is forgotten after this.
const failuresOfUnwatchedMax = 3;

/** A pod that requests can be given to, or could a moment ago. */
export interface PodSlot extends Candidate {
  readonly target: PodTarget;
  /** Nobody has found that it cannot be reached, or that it goes. */
  readonly isWell: boolean;
}

/** A native pod that has just started has cold caches and code that nothing has compiled yet. Envoy's advice is 10 to 60 s. */
const slowStartMsOfNative = 10_000;
/** It gets this share of its share at least, so that it warms up. */
const weightMin = 0.1;

/** What a request would have of its pod. */
interface Wish {
  /** Requests of the same belong together. */
  readonly affinity?: string | undefined;
  /** The pod that it had before, as `stickyToken` has its name. */
  readonly seat?: string | undefined;
}

interface PodEntry {
  id: string;
  /** Of its name, for sessions. */
  readonly token: string;
  target: PodTarget;
  distance: Distance;
  weight: number;
  /** When it became ready; undefined: it has its full share. */
  warmingSinceMs: number | undefined;
  isWell: boolean;
  outstanding: number;
  slots: number;
  /** The watch has shown it ready once: from then on the watch is believed, not the activation. */
  watched: boolean;
  ready: boolean;
  /** It has asked for no more requests itself. */
  draining: boolean;
  /** Reached in vain so often in a row. */
  failures: number;
  setAside: Timer | undefined;
  /** It can be reached, and answers badly. */
  ejected: Timer | undefined;
}

export interface PodSetOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A slot may have become free, or a pod usable. */
  readonly available: () => void;
  /** A pod is not known any more; called once for each that was. */
  readonly gone: (uid: string) => void;
  /** How far the node of a pod is. */
  readonly distance: (node: string) => Distance;
}

/**
 * The pods of one revision, known by activation, by watch or by both, and the slots that are in use. A pod that an
 * activation has returned is usable at once; the API shows it a moment later, and is the truth once it has said Ready.
 */
export class PodSet {
  readonly #options: PodSetOptions;
  readonly #entries = new Map<string, PodEntry>();
  #usable: PodEntry[] = [];
  /** The usable ones by distance. */
  #groups: readonly (readonly PodEntry[])[] = [];
  /** How many of the usable ones have not their full share yet. */
  #warming = 0;
  #slots = unlimitedSlots;
  /** No pod is to have more requests than this for now. */
  #cap = Number.POSITIVE_INFINITY;
  #outstanding = 0;
  #areWasm = true;
  #slowStartMs: number | undefined;
  #policy: BalancePolicy = policyFor(0);

  constructor(options: PodSetOptions) {
    this.#options = options;
  }

  /** Pods that may be given requests, slots free or not. */
  get usable(): number {
    return this.#usable.length;
  }

  /** Whether all of those are Wasm pods, of which a node makes more at once. */
  get areWasm(): boolean {
    return this.#areWasm;
  }

  /** Requests that have a slot. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Names of the pods on a node. */
  namesOn(node: string): readonly string[] {
    return [...this.#entries.values()].filter(({ target }) => target.node === node).map(({ target }) => target.name);
  }

  /** Pods known at all. */
  get size(): number {
    return this.#entries.size;
  }

  /** What the revision says of its pods' slots, and of how one is picked. */
  follow({ concurrencyMax, balance }: Pick<RevisionTarget, "concurrencyMax" | "balance">): void {
    const slots = concurrencyMax > 0 ? concurrencyMax : unlimitedSlots;
    this.#slowStartMs = balance.slowStartMs;
    this.#policy = policyFor(concurrencyMax, balance.hashBy !== undefined);
    if (slots === this.#slots) return;
    this.#slots = slots;
    this.#setSlots();
  }

  /** Until it is called with undefined no pod gets more requests at once than this: further pods are about to come. */
  cap(slots: number | undefined): void {
    const cap = slots ?? Number.POSITIVE_INFINITY;
    if (cap === this.#cap) return;
    this.#cap = cap;
    this.#setSlots();
  }

  #setSlots(): void {
    for (const entry of this.#entries.values()) entry.slots = this.#slotsNow;
    this.#options.available();
  }

  get #slotsNow(): number {
    return Math.min(this.#slots, this.#cap);
  }

  /**
   * A node has said that this pod is up. One that it had started before, and that could not be reached since, stays
   * set aside: the node may not have noticed yet.
   */
  activated(target: PodTarget, started: boolean): void {
    const known = this.#named(target.name);
    const entry = this.#enter(known === undefined ? target : { ...target, uid: known.target.uid });
    entry.ready = true;
    if (started) this.#forgive(entry);
    this.#refresh();
  }

  /** The API shows this pod. */
  watched(pod: WatchedPod): void {
    if (pod.ending) return this.gone(pod.uid);
    if (pod.target === undefined) return;
    this.#rename(pod.target);
    const known = this.#entries.get(pod.uid);
    if (known === undefined && !pod.ready) return;
    const entry = this.#enter(pod.target);
    if (pod.ready) entry.watched = true;
    if (entry.watched) {
      // It has been brought back: what failed before says nothing now.
      if (pod.ready && !entry.ready) this.#forgive(entry);
      entry.ready = pod.ready;
    }
    this.#refresh();
  }

  /** The pod gets no more requests; those that it has go on. */
  gone(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#entries.delete(uid);
    entry.ready = false;
    entry.isWell = false;
    this.#endSetAside(entry);
    this.#refresh();
    this.#options.gone(uid);
  }

  /** The pod itself asks for no more requests. */
  drain(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.draining = true;
    this.#refresh();
  }

  /** Takes a slot. Undefined when there is none free. */
  take({ affinity, seat }: Wish = {}): PodSlot | undefined {
    if (this.#warming > 0) this.#warm();
    const seated = seat === undefined ? undefined : this.#usable.find((one) => one.token === seat && hasRoom(one));
    if (seated !== undefined) return this.#given(seated);
    // Those that belong together do wherever they are.
    const pods = affinity === undefined ? nearFirst(this.#groups, this.#usable) : this.#usable;
    const entry = pods[this.#policy(pods, { random: this.#options.random, affinity })];
    return entry && this.#given(entry);
  }

  #given(entry: PodEntry): PodSlot {
    entry.outstanding++;
    this.#outstanding++;
    return entry;
  }

  /** Gives back what `take` gave. */
  give(slot: PodSlot): void {
    const entry = slot as PodEntry;
    assert(entry.outstanding > 0, "a slot is given back once");
    entry.outstanding--;
    this.#outstanding--;
    this.#options.available();
  }

  /** A request has been answered: the pod is well. */
  succeeded(slot: PodSlot): void {
    (slot as PodEntry).failures = 0;
  }

  /** The pod could not be reached, or refused: others first, for a while. */
  setAside(slot: PodSlot): void {
    const entry = slot as PodEntry;
    if (entry.setAside !== undefined || this.#entries.get(entry.target.uid) !== entry) return;
    const delayMs = Math.min(setAsideMsMin * 2 ** entry.failures, setAsideMsMax);
    entry.failures++;
    if (!entry.watched && entry.failures >= failuresOfUnwatchedMax) return this.gone(entry.target.uid);
    entry.setAside = this.#options.clock.after(delayMs, () => {
      entry.setAside = undefined;
      this.#refresh();
    });
    this.#refresh();
  }

  /** The pod answers, and badly: others first, for as long as the rule says. */
  eject(slot: PodSlot, durationMs: number): void {
    const entry = slot as PodEntry;
    if (this.#entries.get(entry.target.uid) !== entry) return;
    entry.ejected?.cancel();
    entry.ejected = this.#options.clock.after(durationMs, () => {
      entry.ejected = undefined;
      this.#refresh();
    });
    this.#refresh();
  }

  /** Forgets every pod. */
  clear(): void {
    for (const uid of this.#entries.keys()) this.gone(uid);
  }

  #named(name: string): PodEntry | undefined {
    for (const entry of this.#entries.values()) if (entry.target.name === name) return entry;
    return undefined;
  }

  /**
   * A node gives an activated pod a uid of its own, and the API another when it is recorded: the name tells that they are
   * one pod. From then on it goes by the API's, under which the watch will say that it is gone.
   */
  #rename(target: PodTarget): void {
    const entry = this.#named(target.name);
    if (entry === undefined || entry.target.uid === target.uid) return;
    const { uid } = entry.target;
    this.#entries.delete(uid);
    entry.target = target;
    this.#entries.set(target.uid, entry);
    this.#options.gone(uid);
  }

  #enter(target: PodTarget): PodEntry {
    const known = this.#entries.get(target.uid);
    if (known !== undefined) {
      known.target = target;
      return known;
    }
    const entry: PodEntry = {
      id: target.name,
      token: stickyToken(target.name),
      target,
      distance: this.#options.distance(target.node),
      weight: 1,
      warmingSinceMs: undefined,
      isWell: false,
      outstanding: 0,
      slots: this.#slotsNow,
      watched: false,
      ready: false,
      draining: false,
      failures: 0,
      setAside: undefined,
      ejected: undefined,
    };
    this.#entries.set(target.uid, entry);
    return entry;
  }

  #forgive(entry: PodEntry): void {
    this.#endSetAside(entry);
    entry.failures = 0;
    entry.draining = false;
  }

  #endSetAside(entry: PodEntry): void {
    entry.setAside?.cancel();
    entry.setAside = undefined;
    entry.ejected?.cancel();
    entry.ejected = undefined;
  }

  /** Shares grow with time. Looked at when a pod is picked, while there is one that warms up. */
  #warm(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#warming = 0;
    for (const entry of this.#usable) {
      if (entry.warmingSinceMs === undefined) continue;
      const share = (nowMs - entry.warmingSinceMs) / this.#slowStartOf(entry);
      entry.weight = Math.min(1, Math.max(weightMin, share));
      if (share >= 1) entry.warmingSinceMs = undefined;
      else this.#warming++;
    }
  }

  #slowStartOf({ target }: PodEntry): number {
    return this.#slowStartMs ?? (target.endpoint.protocol === "wire" ? 0 : slowStartMsOfNative);
  }

  #refresh(): void {
    const entries = [...this.#entries.values()];
    for (const entry of entries) {
      const wasWell = entry.isWell;
      entry.isWell = entry.ready && !entry.draining && entry.setAside === undefined;
      entry.distance = this.#options.distance(entry.target.node);
      if (entry.isWell && !wasWell && this.#slowStartOf(entry) > 0) entry.warmingSinceMs = this.#options.clock.nowMs();
    }
    const well = entries.filter(({ isWell }) => isWell);
    const liked = well.filter(({ ejected }) => ejected === undefined);
    // A bad answer is better than none: when there is nobody else, those that answer badly are asked.
    this.#usable = liked.length > 0 ? liked : well;
    this.#groups = byDistance(this.#usable);
    this.#areWasm = this.#usable.every(({ target }) => target.endpoint.protocol === "wire");
    this.#warming = this.#usable.filter(({ warmingSinceMs }) => warmingSinceMs !== undefined).length;
    if (this.#usable.length > 0) this.#options.available();
  }
}
