import type { PrivilegePolicy } from "./layer-rewriter.ts";

/** Words of `--image-privileges`, and what each lets in. */
const words: ReadonlyMap<string, keyof PrivilegePolicy> = new Map([
  ["set-ids", "setIds"],
  ["capabilities", "capabilities"],
  ["devices", "devices"],
]);

/**
 * What layers may bring on this node: `none`, or words separated by commas.
 * @throws Error naming the words that there are
 */
export function parsePrivileges(text: string): PrivilegePolicy {
  const policy = { setIds: false, capabilities: false, devices: false };
  if (text === "none") return policy;
  for (const word of text.split(",")) {
    const name = words.get(word);
    if (name === undefined) {
      const known = [...words.keys()].join(", ");
      throw new Error(`--image-privileges is "${text}"; it takes none, or of ${known} those that layers may bring`);
    }
    policy[name] = true;
  }
  return policy;
}
