import {
  type CoreSignature,
  functionImport,
  functionType,
  globalImport,
  opcodes,
  resultsOf,
  shimModule,
  typeCodes,
  u32,
} from "../core-module/encode.ts";

const { localGet, localSet, globalGet, callFunction, ifBlock, elseBlock, endBlock, noResult } = opcodes;

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
export function waitingShim(signatures: readonly CoreSignature[]): Uint8Array {
  const waits = resultsOf(signatures);
  return shimModule({
    types: [
      ...signatures.map(({ params, result }) => functionType(params, result)),
      ...waits.map((result) => functionType([], result)),
    ],
    functionImports: [
      ...signatures.map((_, index) => functionImport("try", String(index), index)),
      ...waits.map((result, index) => functionImport("wait", result ?? "", signatures.length + index)),
    ],
    globalImports: [globalImport("state", "pending")],
    bodies: signatures.map((signature, index) =>
      body(signature, { tryFunction: index, waitFunction: signatures.length + waits.indexOf(signature.result) }),
    ),
  });
}

function body(
  { params, result }: CoreSignature,
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
