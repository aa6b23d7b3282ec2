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

/**
 * A core module that stands between a guest and what it calls that may have to wait. A function that JSPI can suspend always
 * suspends, and takes a turn of the event loop even if its answer is there; so each is tried first. As long as the linker says,
 * through a global, that it has to wait, the guest is suspended, and asks for the result when it goes on: what is taken for
 * the guest is taken in the moment in which it runs again, and not in a microtask before.
 *
 *     (func (export "0") (param …) (result R)
 *       (local.set $answer (call $try0 (local.get …)))
 *       (loop (if (global.get $pending) (then (local.set $answer (call $finishR (call $wait))) (br 1))))
 *       (local.get $answer))
 *
 * Imports: `try` "0", "1", … ; `finish` "", "i32", … (by result); `state` "wait" and "pending" (mutable i32). Exports: "0", "1", ….
 */
export function waitingShim(signatures: readonly CoreSignature[]): Uint8Array {
  const finishes = resultsOf(signatures);
  const wait = signatures.length + finishes.length;
  return shimModule({
    types: [
      ...signatures.map(({ params, result }) => functionType(params, result)),
      ...finishes.map((result) => functionType(["i32"], result)),
      functionType([], "i32"),
    ],
    functionImports: [
      ...signatures.map((_, index) => functionImport("try", String(index), index)),
      ...finishes.map((result, index) => functionImport("finish", result ?? "", signatures.length + index)),
      functionImport("state", "wait", wait),
    ],
    globalImports: [globalImport("state", "pending")],
    bodies: signatures.map((signature, index) =>
      body(signature, { attempt: index, finish: signatures.length + finishes.indexOf(signature.result), wait }),
    ),
  });
}

const { callFunction, localGet, localSet, globalGet, loopBlock, ifBlock, branch, endBlock, noResult } = opcodes;

interface Functions {
  readonly attempt: number;
  readonly wait: number;
  readonly finish: number;
}

function body({ params, result }: CoreSignature, { attempt, wait, finish }: Functions): readonly number[] {
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
