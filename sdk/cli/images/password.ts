import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";

/** More than anybody types. */
const charactersMax = 1_024;

/**
 * The password of a private key: SHALLOP_KEY_PASSWORD, COSIGN_PASSWORD, or what a person types without seeing it.
 *
 * @throws CliFault USAGE when there is neither, or the two that were typed differ
 */
export async function keyPassword(context: Context, options: { readonly confirm: boolean }): Promise<string> {
  const given = context.environment["SHALLOP_KEY_PASSWORD"] ?? context.environment["COSIGN_PASSWORD"];
  if (given !== undefined) return given;
  if (!process.stdin.isTTY) {
    throw new CliFault("USAGE", "nobody is there to ask for the key's password; set SHALLOP_KEY_PASSWORD");
  }
  const password = await typed("password of the private key: ");
  if (options.confirm && (await typed("again: ")) !== password) throw new CliFault("USAGE", "the two differ");
  return password;
}

/** Reads a line from the terminal without showing it. */
async function typed(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  process.stdin.setRawMode(true);
  try {
    let text = "";
    for await (const chunk of process.stdin.iterator({ destroyOnReturn: false })) {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return text;
        if (character === "\u0003") throw new CliFault("USAGE", "nothing was done");
        text = character === "\u007f" ? text.slice(0, -1) : text + character;
        if (text.length > charactersMax) throw new CliFault("USAGE", "this is no password: it is too long");
      }
    }
    return text;
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stderr.write("\n");
  }
}
