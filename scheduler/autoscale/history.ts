import type { ScaleDecision } from "@shallop/sdk/wire";

/**
 * Decisions that are kept of a revision. A decision is made each two seconds, and those that change nothing are one:
 * fifty tell the story of a morning, at about 20 KiB a revision.
 */
export const decisionsMax = 50;

/**
 * `history` with `decision` at its end. One that wants what the last one wanted, for the same kind of reason, is folded
 * into it: the time stays that of the first, the numbers become those of the newest.
 */
export function withDecision(history: readonly ScaleDecision[], decision: ScaleDecision): readonly ScaleDecision[] {
  const last = history.at(-1);
  if (last === undefined || kindOf(last) !== kindOf(decision)) return [...history, decision].slice(-decisionsMax);
  return [...history.slice(0, -1), { ...decision, at: last.at, repeated: last.repeated + 1 }];
}

/** What makes two decisions the same, whatever their numbers: the result, and the words of formula and bound. */
const kindOf = ({ want, ready, inputs, formula, bound }: ScaleDecision): string =>
  JSON.stringify([want, ready, inputs["activity"], inputs["mode"], wordsOf(formula), wordsOf(bound ?? "")]);

const wordsOf = (text: string): string => text.replaceAll(/[\d.]+/g, "");
