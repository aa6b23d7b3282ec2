import { formatPlatform, isForPlatform, parsePlatform, type Platform } from "@shallop/sdk/image";
import { imageArchitecture } from "../../image/choose.ts";
import { DockerFault } from "../http/docker-fault.ts";

/** This machine's. */
export const ownPlatform: Platform = { os: "linux", architecture: imageArchitecture(process.arch) };

export const isWasmPlatform = ({ architecture }: Platform): boolean => /^wasm(32)?$/.test(architecture);

/** A component is for every word of WASI that a client may use for it: `wasi/wasm`, `wasip2/wasm`. */
export const isAsked = (has: Platform, asked: Platform): boolean =>
  isWasmPlatform(asked) ? isWasmPlatform(has) : isForPlatform(has, asked);

/** What `--platform` says. @throws DockerFault BAD_REQUEST */
export function platformAsked(text: string | undefined): Platform | undefined {
  if (text === undefined || text === "") return undefined;
  const platform = text === "wasm" ? parsePlatform("wasi/wasm", ownPlatform) : parsePlatform(text, ownPlatform);
  if (platform !== undefined) return platform;
  const message = `${JSON.stringify(text.slice(0, 60))} is an invalid platform; such as linux/amd64, or wasi/wasm`;
  throw new DockerFault("BAD_REQUEST", message);
}

/** As Docker says it: a client that hears this of an image that is here asks a registry for it. */
export function noSuchPlatform(name: string, has: readonly Platform[], asked: Platform): DockerFault {
  const there = [...new Set(has.map(formatPlatform))].join(", ");
  const wanted = formatPlatform(asked);
  const message = `image with reference ${name} was found but its platform (${there}) does not match the specified platform (${wanted})`;
  return new DockerFault("NOT_FOUND", message);
}

/** What this machine cannot run is not made a container of. @throws DockerFault NOT_FOUND, UNSUPPORTED */
export function checkRunnable(name: string, has: readonly Platform[], asked: Platform | undefined): void {
  if (asked === undefined) return;
  if (!has.some((platform) => isAsked(platform, asked))) throw noSuchPlatform(name, has, asked);
  if (isWasmPlatform(asked) || isForPlatform(ownPlatform, asked)) return;
  const message = `not supported: ${formatPlatform(asked)} on this machine, which is ${formatPlatform(ownPlatform)}`;
  throw new DockerFault("UNSUPPORTED", message);
}
