import { readFileSync } from "node:fs";

/** Which users of the machine this process can be, and make files of. */
export interface UserMap {
  /** Every user of the machine there is: this process is in no user namespace of its own. */
  readonly isWhole: boolean;
  /** How many users there are from 0 on, without a gap. */
  readonly idCount: number;
  /** What 0 is on the machine, or above. */
  readonly root: number;
  /** Each line of the map, as ranges of ids in this namespace: a map of a namespace below has none that is in two of them. */
  readonly ranges: readonly { readonly first: number; readonly size: number }[];
}

const allIds = 4_294_967_295;

/** Reads a `uid_map` (user_namespaces(7)); one that cannot be read is that of a machine without namespaces. */
export function parseUserMap(text: string): UserMap {
  const lines = text.split("\n").flatMap((line) => {
    const [inside, outside, count] = line.trim().split(/\s+/).map(Number);
    return inside === undefined || outside === undefined || count === undefined ? [] : [{ inside, outside, count }];
  });
  const isWhole = lines.length === 0 || (lines[0]?.outside === 0 && lines[0].count === allIds);
  let idCount = 0;
  for (const { inside, count } of lines.toSorted((a, b) => a.inside - b.inside))
    if (inside === idCount) idCount += count;
  const root = lines.find(({ inside }) => inside === 0)?.outside ?? 0;
  const ranges = lines.map(({ inside, count }) => ({ first: inside, size: count }));
  return { isWhole, idCount: isWhole ? allIds : idCount, root, ranges };
}

/** This process's. */
export function userMap(kind: "uid" | "gid" = "uid"): UserMap {
  try {
    return parseUserMap(readFileSync(`/proc/self/${kind}_map`, "utf8"));
  } catch {
    return parseUserMap("");
  }
}

/** Root of the machine, and not of a user namespace, which it cannot tell by its own id. */
export const isMachineRoot = (): boolean => process.getuid?.() === 0 && userMap().isWhole;
