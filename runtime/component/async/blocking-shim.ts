import type { CoreType } from "../abi/codec.ts";
import { functionType, moduleHeader, name, opcodes, section, typeCodes, u32 } from "../core-module/encode.ts";

/** The core function of a built-in that may have to wait. */
export interface BlockingSignature {
  readonly params: readonly CoreType[];
  readonly result: CoreType | undefined;
}

const resultTypes: readonly (CoreType | undefined)[] = [undefined, "i32", "i64", "f32", "f64"];

/**
 * A core module that stands between a guest and the built-ins that may have to wait. Each is tried first; as long as the linker says,
 * through a global, that it has to wait, the guest is suspended, and asks for the result when it goes on. So what is taken for
 * the guest is taken in the moment in which it runs again, and not in a microtask before.
 *
 *     (func (export "0") (param …) (result R)
 *       (local.set $answer (call $try0 (local.get …)))
 *       (loop (if (global.get $pending) (then (local.set $answer (call $finishR (call $wait))) (br 1))))
 *       (local.get $answer))
 *
 * Imports: `try` "0", "1", … ; `finish` "", "i32", … (by result); `state` "wait" and "pending" (mutable i32). Exports: "0", "1", ….
 */
export function blockingShim(signatures: readonly BlockingSignature[]): Uint8Array {
  const finishes = resultTypes.filter((type) => signatures.some(({ result }) => result === type));
  const waitType = signatures.length + finishes.length;
  const types = [
    ...signatures.map(({ params, result }) => functionType(params, result)),
    ...finishes.map((result) => functionType(["i32"], result)),
    functionType([], "i32"),
  ];
  const imports = [
    ...signatures.map((_, index) => [...name("try"), ...name(String(index)), 0x00, ...u32(index)]),
    ...finishes.map((result, index) => [
      ...name("finish"),
      ...name(result ?? ""),
      0x00,
      ...u32(signatures.length + index),
    ]),
    [...name("state"), ...name("wait"), 0x00, ...u32(waitType)],
    [...name("state"), ...name("pending"), 0x03, typeCodes.i32, 0x01],
  ];
  const bodies = signatures.map((signature, index) =>
    body(signature, { attempt: index, finish: signatures.length + finishes.indexOf(signature.result), wait: waitType }),
  );
  return Uint8Array.from([
    ...moduleHeader,
    ...section(1, types),
    ...section(2, imports),
    ...section(
      3,
      signatures.map((_, index) => u32(index)),
    ),
    ...section(
      7,
      signatures.map((_, index) => [...name(String(index)), 0x00, ...u32(waitType + 1 + index)]),
    ),
    ...section(10, bodies),
  ]);
}

const { callFunction, localGet, localSet, globalGet, loopBlock, ifBlock, branch, endBlock, noResult } = opcodes;

interface Functions {
  readonly attempt: number;
  readonly wait: number;
  readonly finish: number;
}

function body({ params, result }: BlockingSignature, { attempt, wait, finish }: Functions): readonly number[] {
  const answer = u32(params.length);
  const keep = result === undefined ? [] : [localSet, ...answer];
  const code = [
    ...(result === undefined ? [0] : [1, 1, typeCodes[result]]),
    ...params.flatMap((_, index) => [localGet, ...u32(index)]),
    ...[callFunction, ...u32(attempt), ...keep],
    ...[loopBlock, noResult, globalGet, 0, ifBlock, noResult],
    ...[callFunction, ...u32(wait), callFunction, ...u32(finish), ...keep, branch, 1],
    ...[endBlock, endBlock],
    ...(result === undefined ? [] : [localGet, ...answer]),
    endBlock,
  ];
  return [...u32(code.length), ...code];
}
