import { randomBytes, randomFillSync, randomInt } from "node:crypto";

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

// Requests have one each, and Node's own are put together of twenty pieces of text: so many are written at once and cut apart. One
// that is kept keeps the text of all of them, a kilobyte.
const uuidBatch = 32;
const uuidChars = 36;
const uuidBytes = 16;
const hexDigits = Buffer.from("0123456789abcdef", "latin1");
const [dash, version, variant] = [0x2d, 0x40, 0x80];
const batch = Buffer.alloc(uuidBatch * uuidChars);
let batchText = "";
let batchAt = 0;
// Of several batches: to ask for chance costs more than what is got.
const chance = new Uint8Array(8 * uuidBatch * uuidBytes);
let chanceAt = chance.length;

/** Version 4 (RFC 9562, 5.4). */
function uuid(): string {
  if (batchAt === batchText.length) {
    batchText = uuids();
    batchAt = 0;
  }
  batchAt += uuidChars;
  return batchText.slice(batchAt - uuidChars, batchAt);
}

function uuids(): string {
  if (chanceAt === chance.length) {
    randomFillSync(chance);
    chanceAt = 0;
  }
  let at = 0;
  const end = chanceAt + uuidBatch * uuidBytes;
  for (let index = chanceAt; index < end; index++) {
    const place = index % uuidBytes;
    if (place === 4 || place === 6 || place === 8 || place === 10) batch[at++] = dash;
    let byte = chance[index] ?? 0;
    if (place === 6) byte = (byte & 0x0f) | version;
    else if (place === 8) byte = (byte & 0x3f) | variant;
    batch[at++] = hexDigits[byte >> 4] ?? 0;
    batch[at++] = hexDigits[byte & 0x0f] ?? 0;
    // What has become an id is nowhere else.
    chance[index] = 0;
  }
  chanceAt = end;
  return batch.toString("latin1");
}

export const systemRandom: Random = {
  below: (bound) => randomInt(bound),
  uuid,
  suffix: (length) => Array.from({ length }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join(""),
  token: (byteCount) => randomBytes(byteCount).toString("base64url"),
};
