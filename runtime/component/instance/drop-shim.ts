import { functionType, moduleHeader, name, opcodes, section, typeCodes, u32 } from "../core-module/encode.ts";

const { callFunction, localGet, globalGet, ifBlock, endBlock, noResult } = opcodes;

/**
 * A core module between a guest and the destructor of a resource, so that no frame of JavaScript is between the two and the
 * destructor can be suspended with the guest that drops the handle:
 *
 *     (func (export "drop") (param i32)
 *       (if (call $take (local.get 0)) (then (call $destroy (global.get $representation)))))
 *
 * Imports: `guest` "take" (takes the handle out; whether the resource is to be destroyed) and "destroy"; `state`
 * "representation" (mutable i32), which "take" sets.
 */
export function dropShim(): Uint8Array<ArrayBuffer> {
  const code = [
    ...[0, localGet, 0, callFunction, 0, ifBlock, noResult],
    ...[globalGet, 0, callFunction, 1, endBlock, endBlock],
  ];
  return Uint8Array.from([
    ...moduleHeader,
    ...section(1, [functionType(["i32"], "i32"), functionType(["i32"], undefined)]),
    ...section(2, [
      [...name("guest"), ...name("take"), 0x00, 0],
      [...name("guest"), ...name("destroy"), 0x00, 1],
      [...name("state"), ...name("representation"), 0x03, typeCodes.i32, 0x01],
    ]),
    ...section(3, [[1]]),
    ...section(7, [[...name("drop"), 0x00, 2]]),
    ...section(10, [[...u32(code.length), ...code]]),
  ]);
}
