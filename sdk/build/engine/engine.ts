import { buildWithQuickJs } from "./quickjs.ts";
import { buildWithStarlingMonkey } from "./starlingmonkey.ts";

/**
 * The JavaScript engine inside a component. QuickJS is the default: a hello is a fifth of the size and starts in
 * half the time (`shallop build --engine auto` measures both); StarlingMonkey runs long computations faster and has every Web API.
 */
export const engineNames = ["quickjs", "starlingmonkey"] as const;
export type EngineName = (typeof engineNames)[number];

/** A component of `source`; its top level is given up after `topLevelMsMax`. @throws BuildFault FUNCTION_INVALID */
type BuildWithEngine = (source: string, cacheDirectory: string, topLevelMsMax?: number) => Promise<Uint8Array>;

export const buildWith: Readonly<Record<EngineName, BuildWithEngine>> = {
  quickjs: buildWithQuickJs,
  starlingmonkey: buildWithStarlingMonkey,
};
