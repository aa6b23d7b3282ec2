import { type CoreSignature, functionType, moduleHeader, name, opcodes, section, u32 } from "../core-module/encode.ts";

/**
 * A core module that calls a guest's function and says when it has returned, and with what:
 *
 *     (func (export "run") (param …) (call $done (call $run (local.get …))))
 */
export function entryShim({ params, result }: CoreSignature): Uint8Array {
  const { callFunction, localGet, endBlock } = opcodes;
  const code = [
    0,
    ...params.flatMap((_, index) => [localGet, ...u32(index)]),
    callFunction,
    0,
    callFunction,
    1,
    endBlock,
  ];
  return Uint8Array.from([
    ...moduleHeader,
    ...section(1, [
      functionType(params, result),
      functionType(result === undefined ? [] : [result], undefined),
      functionType(params, undefined),
    ]),
    ...section(2, [
      [...name("core"), ...name("run"), 0x00, 0],
      [...name("state"), ...name("done"), 0x00, 1],
    ]),
    ...section(3, [[2]]),
    ...section(7, [[...name("run"), 0x00, 2]]),
    ...section(10, [[...u32(code.length), ...code]]),
  ]);
}
