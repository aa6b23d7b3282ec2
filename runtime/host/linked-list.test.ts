import fc from "fast-check";
import { expect, test } from "vitest";
import { type Linked, LinkedList } from "./linked-list.ts";

class Item implements Linked<Item> {
  previous: Item | undefined;
  next: Item | undefined;
}

test("holds what a set would hold, in the same order, whatever is put in and taken out", () => {
  const steps = fc.array(fc.record({ at: fc.nat(7), puts: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (given) => {
      const items = Array.from({ length: 8 }, () => new Item());
      const list = new LinkedList<Item>();
      const model = new Set<Item>();
      for (const { at, puts } of given) {
        const item = items[at]!;
        if (!puts) expect(list.remove(item)).toBe(model.delete(item));
        else if (!model.has(item)) {
          list.push(item);
          model.add(item);
        }
        expect([...list]).toEqual([...model]);
        expect({ size: list.size, first: list.first }).toEqual({ size: model.size, first: [...model][0] });
      }
      // What is in no list keeps nothing.
      for (const item of items)
        if (!model.has(item)) expect([item.previous, item.next]).toEqual([undefined, undefined]);
    }),
  );
});

test("takes an item at any place", () => {
  const [first, second, third, last] = [new Item(), new Item(), new Item(), new Item()];
  const list = new LinkedList<Item>();
  list.insertAfter(undefined, second);
  list.insertAfter(second, last);
  list.insertAfter(second, third);
  list.insertAfter(undefined, first);
  expect([...list]).toEqual([first, second, third, last]);
  expect([list.first, list.last, list.size]).toEqual([first, last, 4]);
  expect(last.previous).toBe(third);
});

test("may change while it is gone through", () => {
  const list = new LinkedList<Item>();
  const items = [new Item(), new Item(), new Item()];
  for (const item of items) list.push(item);
  for (const item of list) list.remove(item);
  expect(list.size).toBe(0);
});
