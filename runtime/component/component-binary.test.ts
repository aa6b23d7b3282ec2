import { describe, expect, test } from "vitest";
import { assert, property, uint8Array } from "fast-check";
import { binaryLayer, readSurface } from "./component-binary.ts";
import { BinaryError } from "./leb128.ts";

const preamble = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];
const component = (...sections: number[][]): Uint8Array => Uint8Array.from([...preamble, ...sections.flat()]);

test.each([
  { what: "a component", bytes: preamble, layer: "component" },
  { what: "a core module", bytes: [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], layer: "core-module" },
  { what: "another version", bytes: [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0], layer: "unknown" },
  { what: "a script", bytes: [...Buffer.from("#!/bin/sh")], layer: "unknown" },
  { what: "seven bytes", bytes: preamble.slice(0, 7), layer: "unknown" },
  { what: "nothing", bytes: [], layer: "unknown" },
])("binaryLayer: $what is $layer", ({ bytes, layer }) => {
  expect(binaryLayer(Uint8Array.from(bytes))).toBe(layer);
});

describe("readSurface", () => {
  test("lists imports and exports of every sort, over several sections", () => {
    const imports = section(
      10,
      [
        [4],
        [0x00, ...name("wasi:io/poll@0.2.0"), 0x05, 0x00],
        [0x01, ...name("run"), 0x01, 0x03],
        [0x00, ...name("t"), 0x03, 0x01],
        [0x00, ...name("m"), 0x00, 0x11, 0x02],
      ].flat(),
    );
    const exports = section(
      11,
      [
        [2],
        [0x00, ...name("wasi:http/incoming-handler@0.2.0"), 0x05, 0x01, 0x00],
        [0x00, ...name("init"), 0x01, 0x00, 0x01, 0x01, 0x00],
      ].flat(),
    );
    const more = section(10, [1, 0x02, ...name("wasi:io/error@0.2"), 1, 0x01, ...name(".12"), 0x05, 0x00]);
    const custom = section(0, [...name("note"), 1, 2, 3]);
    expect(readSurface(component(custom, imports, exports, more))).toEqual({
      imports: ["wasi:io/poll@0.2.0", "run", "t", "m", "wasi:io/error@0.2"],
      exports: ["wasi:http/incoming-handler@0.2.0", "init"],
    });
  });

  test.each([
    { what: "a section that is longer than the file", bytes: component([10, 50, 1]) },
    { what: "a name that is longer than its section", bytes: component(section(10, [1, 0x00, 90, 0x61])) },
    { what: "an unknown sort", bytes: component(section(10, [1, 0x00, ...name("a"), 0x09, 0x00])) },
    { what: "bytes after the last import", bytes: component(section(10, [0, 1])) },
    { what: "a name that is not UTF-8", bytes: component(section(10, [1, 0x00, 1, 0xff, 0x05, 0x00])) },
    {
      what: "an endless number",
      bytes: component([10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    },
  ])("refuses $what and says where", ({ bytes }) => {
    expect(() => readSurface(bytes)).toThrow(BinaryError);
    expect(() => readSurface(bytes)).toThrow(/at byte 0x/);
  });

  test("any bytes give a surface or a BinaryError", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readSurface(Uint8Array.from([...preamble, ...bytes]));
        } catch (error) {
          expect(error).toBeInstanceOf(BinaryError);
        }
      }),
    );
  });
});
