import { guestLimitDefaults } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import type { LoadedComponent } from "../component/engine.ts";
import { ParkedComponents, parkingKey } from "./parked-components.ts";
import type { ThreadStart } from "./thread-protocol.ts";

const mebibyte = 2 ** 20;

function start(preparedDir: string, { service = "a", memoryBytes = 16 * mebibyte } = {}): ThreadStart {
  return {
    type: "start",
    uid: "uid",
    preparedDir,
    env: [{ name: "K_SERVICE", value: service }],
    limits: {
      ...guestLimitDefaults,
      memoryBytes,
      cpu: 1,
      pidsMax: 0,
      requestTimeoutMs: 1000,
      concurrencyMax: 0,
      startTimeoutMs: 1000,
    },
    egressAllowed: [],
    egressSocket: undefined,
    directories: [],
  };
}

/** A component at rest with so many bytes; counts how often it was released. */
class Component implements LoadedComponent {
  readonly isConcurrent = false;
  readonly knowsItsPod: boolean;
  readonly #bytes: number | undefined;
  released = 0;

  constructor(bytes: number | undefined = mebibyte, knowsItsPod = false) {
    this.#bytes = bytes;
    this.knowsItsPod = knowsItsPod;
  }

  instantiate(): Promise<never> {
    throw new Error("nobody asks for one");
  }

  rest(): number | undefined {
    return this.#bytes;
  }

  release(): void {
    this.released++;
  }
}

test("a pod of the same program and limits has the component, and nobody else while it has it", () => {
  const parked = new ParkedComponents();
  const component = new Component();
  parked.park(start("one"), component);
  expect(parked.keys).toEqual([parkingKey(start("one"))]);
  expect(parked.take(start("two"))).toBeUndefined();
  expect(parked.take(start("one", { memoryBytes: 32 * mebibyte }))).toBeUndefined();
  expect(parked.take(start("one", { service: "b" }))).toBe(component);
  expect(parked.take(start("one"))).toBeUndefined();
  expect(component.released).toBe(0);
});

test("an instance that knows its pod serves pods of the same environment only", () => {
  const parked = new ParkedComponents();
  const component = new Component(mebibyte, true);
  parked.park(start("one"), component);
  expect(parked.take(start("one"))).toBe(component);
  expect(component.released).toBe(0);
  parked.park(start("one"), component);
  expect(parked.take(start("one", { service: "b" }))).toBe(component);
  expect(component.released, "it is loaded, and has no instance").toBe(1);
});

test("there is a bound to their number and to their memory; who has waited for longest goes first", () => {
  const parked = new ParkedComponents();
  const components = Array.from({ length: 6 }, () => new Component());
  for (const [index, component] of components.entries()) parked.park(start(`${index}`), component);
  expect(components.map(({ released }) => released)).toEqual([1, 1, 0, 0, 0, 0]);
  parked.park(start("large"), new Component(23 * mebibyte));
  expect(components.map(({ released }) => released)).toEqual([1, 1, 1, 1, 1, 0]);
  const tooLarge = new Component(25 * mebibyte);
  parked.park(start("too large"), tooLarge);
  expect(tooLarge.released).toBe(1);
  expect(parked.take(start("too large"))).toBe(tooLarge);
});

test("a component of which nothing stays is loaded all the same", () => {
  const parked = new ParkedComponents();
  const component = new Component(undefined);
  parked.park(start("one"), component);
  expect(parked.take(start("one"))).toBe(component);
});
