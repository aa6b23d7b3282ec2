import type { CoreType } from "../abi/codec.ts";
import { functionType, moduleHeader, name, opcodes, section, typeCodes, u32 } from "../core-module/encode.ts";

const { localGet, localSet, globalGet, callFunction, ifBlock, elseBlock, endBlock, noResult } = opcodes;

/** The core function of an import that may have to wait. */
export interface WaitingSignature {
  readonly params: readonly CoreType[];
  readonly result: CoreType | undefined;
}

const resultTypes: readonly (CoreType | undefined)[] = [undefined, "i32", "i64", "f32", "f64"];

/**
 * A core module that stands between a guest and the imports that may have to wait. A function that JSPI can suspend always
 * suspends, and takes a turn of the event loop even if its answer is there; so each call is tried first, and suspended only
 * if the host says, through a global, that the answer is not there:
 *
 *     (func (export "0") (param …) (result R)
 *       (call $try0 (local.get …)) (if (result R) (global.get $pending) (then (call $waitR)) (else …what try gave…)))
 *
 * Imports: `try` "0", "1", … ; `wait` "", "i32", … (by result); `state` "pending" (mutable i32). Exports: "0", "1", ….
 */
export function waitingShim(signatures: readonly WaitingSignature[]): Uint8Array {
  const waits = resultTypes.filter((type) => signatures.some(({ result }) => result === type));
  const types = [
    ...signatures.map(({ params, result }) => functionType(params, result)),
    ...waits.map((result) => functionType([], result)),
  ];
  const imports = [
    ...signatures.map((_, index) => [...name("try"), ...name(String(index)), 0x00, ...u32(index)]),
    ...waits.map((result, index) => [...name("wait"), ...name(result ?? ""), 0x00, ...u32(signatures.length + index)]),
    [...name("state"), ...name("pending"), 0x03, typeCodes.i32, 0x01],
  ];
  const firstOwn = signatures.length + waits.length;
  const bodies = signatures.map((signature, index) =>
    body(signature, { tryFunction: index, waitFunction: signatures.length + waits.indexOf(signature.result) }),
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
      signatures.map((_, index) => [...name(String(index)), 0x00, ...u32(firstOwn + index)]),
    ),
    ...section(10, bodies),
  ]);
}

function body(
  { params, result }: WaitingSignature,
  { tryFunction, waitFunction }: { readonly tryFunction: number; readonly waitFunction: number },
): readonly number[] {
  const attempt = [...params.flatMap((_, index) => [localGet, ...u32(index)]), callFunction, ...u32(tryFunction)];
  const wait = [callFunction, ...u32(waitFunction)];
  const answer = u32(params.length);
  const code =
    result === undefined
      ? [0, ...attempt, globalGet, 0, ifBlock, noResult, ...wait, endBlock, endBlock]
      : [
          ...[1, 1, typeCodes[result], ...attempt, localSet, ...answer, globalGet, 0, ifBlock, typeCodes[result]],
          ...[...wait, elseBlock, localGet, ...answer, endBlock, endBlock],
        ];
  return [...u32(code.length), ...code];
}
