import { expect, test } from "vitest";
import { WireStream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

const connection = {} as ConstructorParameters<typeof WireStream>[1];
const stream = (id: number): WireStream => new WireStream(id, connection, "pod");

test("has what a Map has, whatever comes and goes", () => {
  const table = new StreamTable();
  const map = new Map<number, WireStream>();
  let seed = 1;
  let id = -1;
  for (let step = 0; step < 5000; step++) {
    seed = (seed * 48_271) % 2_147_483_647;
    if (seed % 2 === 0 || map.size === 0) {
      id += 2;
      const added = stream(id);
      table.add(added);
      map.set(id, added);
    } else {
      const gone = [...map.keys()][seed % map.size]!;
      table.delete(gone);
      map.delete(gone);
      expect(table.get(gone)).toBeUndefined();
    }
    expect(table.size).toBe(map.size);
  }
  expect([...table]).toEqual([...map.values()]);
  for (const [number, one] of map) expect(table.get(number)).toBe(one);
});

test("numbers of 32 bits are found, and one that is gone keeps no other", () => {
  const table = new StreamTable();
  const [low, high] = [stream(1), stream(2 ** 32 - 127)];
  table.add(low);
  table.add(high);
  expect(table.get(2 ** 32 - 127)).toBe(high);
  table.delete(high.id);
  table.delete(high.id);
  expect([high.next, low.next, table.size]).toEqual([undefined, undefined, 1]);
});
