import { LRUCache } from "lru-cache";
import type { LoadedComponent } from "../component/engine.ts";
import type { ThreadStart } from "./thread-protocol.ts";

// A function that is asked now and then comes back to a thread that has served some others meanwhile.
const parkedMax = 4;
// Of linear memory that their instances keep: three of QuickJS's size, or one of StarlingMonkey's. All threads that rest have to do with
// what a host process has without any pod.
const parkedBytesMax = 24 * 2 ** 20;

interface Parked {
  readonly component: LoadedComponent;
  /** What was a pod's own when its instances started. */
  readonly podsOwn: string;
  readonly bytes: number;
}

/** Names a component's bytes, and the limits that its instances are made with. */
export function parkingKey({ preparedDir, limits }: Pick<ThreadStart, "preparedDir" | "limits">): string {
  return `${preparedDir} ${JSON.stringify(limits)}`;
}

const podsOwnOf = ({ env }: ThreadStart): string => JSON.stringify(env);

/**
 * What a thread has loaded for pods that are over, each with an instance that waits, as it was before its first request: a pod of the
 * same program answers at once. The one that nobody has needed for longest goes first.
 */
export class ParkedComponents {
  readonly #parked = new LRUCache<string, Parked>({
    max: parkedMax,
    maxSize: parkedBytesMax,
    sizeCalculation: ({ bytes }) => Math.max(1, bytes),
    dispose: ({ component }, _key, reason) => {
      if (reason !== "delete") component.release?.();
    },
  });

  get keys(): readonly string[] {
    return [...this.#parked.keys()];
  }

  /** The component of this pod, which stays parked. */
  peek(start: ThreadStart): LoadedComponent | undefined {
    return this.#parked.peek(parkingKey(start))?.component;
  }

  /** The component of this pod, which has it for itself from now on. */
  take(start: ThreadStart): LoadedComponent | undefined {
    const key = parkingKey(start);
    const parked = this.#parked.get(key);
    if (parked === undefined) return undefined;
    this.#parked.delete(key);
    const { component, podsOwn } = parked;
    if (component.knowsItsPod === true && podsOwn !== podsOwnOf(start)) component.release?.();
    return component;
  }

  /** Its pod is over, and so are all its instances. */
  park(start: ThreadStart, component: LoadedComponent): void {
    const bytes = component.rest?.() ?? 0;
    if (bytes > parkedBytesMax) component.release?.();
    this.#parked.set(parkingKey(start), {
      component,
      podsOwn: podsOwnOf(start),
      bytes: bytes > parkedBytesMax ? 0 : bytes,
    });
  }
}
