import { expect, test } from "vitest";
import { CodecTable } from "../abi/codec-table.ts";
import { chance, sampleResources, Samples } from "../testing/samples.ts";
import { mapValueType, TypeArena } from "./type-arena.ts";

// In a memory of 32 bits a value without pointers takes what it takes in one of 64: the codecs have worked that out.
test.each(Array.from({ length: 80 }, (_, seed) => seed))("a type without pointers has one size: seed %i", (seed) => {
  const samples = new Samples(chance(seed));
  samples.any(4);
  const codecs = new CodecTable({ types: samples.types, resources: sampleResources });
  const arena = new TypeArena();
  // Equal types are one in the arena.
  const numbers: number[] = [];
  for (const [index, type] of samples.types.entries()) {
    const number = arena.add(mapValueType(type, { type: (at) => numbers[at] ?? -1, resource: (at) => at }), 0);
    numbers.push(number);
    const { hasPointer, place } = arena.facts(number);
    if (hasPointer) continue;
    const { size, alignment } = codecs.codec(index);
    expect(place).toEqual({ bytes: size, alignment });
  }
});

test("pointers are wider in a memory of 64 bits", () => {
  const arena = new TypeArena();
  const text = arena.add({ kind: "string" }, 0);
  expect(arena.facts(text).place).toEqual({ bytes: 16, alignment: 8 });
  const either = arena.add({ kind: "option", some: arena.add({ kind: "list", element: text }, 0) }, 0);
  expect(arena.facts(either).place).toEqual({ bytes: 24, alignment: 8 });
});
