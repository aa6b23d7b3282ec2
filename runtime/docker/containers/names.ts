import { randomInt } from "node:crypto";

const qualities =
  "amber brisk calm daring eager fair gentle hardy ideal jolly keen lively mellow nimble open patient quick ready sunny tidy upbeat vivid warm young zesty";
const boats =
  "ark barge canoe cutter dhow dinghy ferry galley gig junk kayak ketch launch lugger pinnace prau punt raft schooner shallop skiff sloop tender wherry yawl";

/** A name for a container whose maker gave none. */
export function freeName(isTaken: (name: string) => boolean): string {
  const [first, second] = [qualities.split(" "), boats.split(" ")];
  const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? "";
  for (let digits = 0; ; digits++) {
    const name = `${pick(first)}_${pick(second)}${digits === 0 ? "" : String(randomInt(10 ** digits))}`;
    if (!isTaken(name)) return name;
  }
}
