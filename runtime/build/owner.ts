import { resolveUser } from "../sandbox/image-user.ts";
import { lineFault, shown } from "./dockerfile/fault.ts";

/** Texts of an image's own `/etc/passwd` and `/etc/group`. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/**
 * `--chown=user[:group]`: names as the image's files say; a group that is not named has the user's number.
 * @throws DockerfileFault DOCKERFILE_INVALID
 */
export function ownerOf(text: string, files: UserFiles, line: number): { readonly uid: number; readonly gid: number } {
  const found = resolveUser(text, files);
  if (typeof found === "string") throw lineFault(line, `--chown=${shown(text)}: ${found.replace(/^its /, "the ")}`);
  return { uid: found.uid, gid: text.includes(":") ? found.gid : found.uid };
}

/** `--chmod=755`. @throws DockerfileFault DOCKERFILE_INVALID */
export function modeOf(text: string, line: number): number {
  if (/^[0-7]{3,4}$/.test(text)) return Number.parseInt(text, 8);
  throw lineFault(line, `--chmod takes an octal number such as 755, not ${shown(text)}`);
}
