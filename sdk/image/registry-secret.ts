import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode, type Random } from "@shallop/sdk/internal";
import { ImageFault } from "./fault.ts";

/** 256 bits: nobody guesses it. */
const secretBytes = 32;

/**
 * The secret that lies in a file which only this user can read; made by whoever asks first.
 *
 * @throws ImageFault CREDENTIALS_INVALID when the file cannot be read or made, or is no secret
 */
export async function registrySecret(path: string, random: Random): Promise<string> {
  const secret = random.token(secretBytes);
  const draft = `${path}.${random.uuid()}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await using file = await open(draft, "wx", 0o600);
    await file.writeFile(`${secret}\n`);
    await file.sync();
    // Of two processes that make one at once, one wins; and what is there is whole.
    await link(draft, path);
    return secret;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") {
      throw new ImageFault("CREDENTIALS_INVALID", `the secret ${path} cannot be made`, { cause: error });
    }
  } finally {
    await rm(draft, { force: true });
  }
  const text = (await readFile(path, "utf8")).trim();
  if (text.length >= secretBytes) return text;
  throw new ImageFault("CREDENTIALS_INVALID", `${path} holds no secret; remove it, and a new one is made`);
}
