import type { Platform } from "./manifest.ts";

/** What kernels and others call an architecture, as images call it: containerd's platforms.Normalize. */
const architectures: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  ...{ x86_64: ["amd64"], "x86-64": ["amd64"], aarch64: ["arm64"], i386: ["386"], i686: ["386"] },
  ...{ armhf: ["arm", "v7"], armel: ["arm", "v6"] },
};
const osNames = ["linux", "windows", "darwin", "freebsd"];

/**
 * A platform as `--platform` takes it: `linux/arm64`, `linux/arm/v7`, and of the two parts one alone (`linux`, `arm64`), the
 * other being `own`'s. Undefined when it is none. Pure.
 */
export function parsePlatform(text: string, own: Platform): Platform | undefined {
  if (!/^[a-z0-9_-]+(\/[a-z0-9_-]+){0,2}$/.test(text)) return undefined;
  const [first = "", second, variant] = text.split("/");
  if (second === undefined && osNames.includes(first)) return { ...own, os: first };
  const [os, given] = second === undefined ? ["linux", first] : [first, second];
  const [architecture, implied] = architectures[given] ?? [given];
  const level = levelOf(architecture, variant ?? implied);
  return { os, architecture, ...(level === undefined ? {} : { variant: level }) };
}

/** Whether what is for one platform is meant by another. Where only one of two names a level, that is no difference. Pure. */
export function isForPlatform(has: Platform | undefined, wanted: Platform): boolean {
  if (has === undefined || has.os !== wanted.os || has.architecture !== wanted.architecture) return false;
  const [level, asked] = [has.variant, wanted.variant].map((variant) => levelOf(has.architecture, variant));
  return level === undefined || asked === undefined || level === asked;
}

/** `arm64` is `arm64/v8`, and `8` is `v8`. */
function levelOf(architecture: string, variant: string | undefined): string | undefined {
  const level = variant !== undefined && /^\d$/.test(variant) ? `v${variant}` : variant;
  return level === "" || (architecture === "arm64" && level === "v8") ? undefined : level;
}
