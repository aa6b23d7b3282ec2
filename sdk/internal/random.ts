import { randomBytes, randomInt, randomUUID } from "node:crypto";

/** The only source of chance. Tests and the simulator pass a seeded one. */
export interface Random {
  /** An integer in [0, bound). */
  below(bound: number): number;
  uuid(): string;
  /** Lower-case letters and digits without vowels and look-alikes, as Kubernetes' `generateName` appends. */
  suffix(length: number): string;
  /** `byteCount` random bytes as base64url; for secrets. */
  token(byteCount: number): string;
}

// apimachinery/pkg/util/rand: no vowels, so that no words come out; no 0, 1, 3, which look like letters.
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";

export const systemRandom: Random = {
  below: (bound) => randomInt(bound),
  uuid: () => randomUUID(),
  suffix: (length) => Array.from({ length }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join(""),
  token: (byteCount) => randomBytes(byteCount).toString("base64url"),
};
