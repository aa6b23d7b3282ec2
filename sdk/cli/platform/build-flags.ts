import { parseQuantity } from "../../api/index.ts";
import { isLinuxPlatform, ownPlatform } from "../../build/index.ts";
import { parseDurationMs } from "../../internal/duration.ts";
import type { RunLimits } from "../../wire/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";
import type { BillFormat } from "../images/build-facts.ts";
import { pairOf } from "./flag-values.ts";

/** Flags of `shallop build` as the parser gives them. */
export interface BuildFlags {
  readonly tag?: string;
  readonly engine?: string;
  readonly push?: boolean;
  readonly sbom?: BillFormat;
  readonly data?: string;
  readonly output?: string;
  readonly file?: string;
  readonly target?: string;
  readonly buildArg: readonly string[];
  readonly label: readonly string[];
  readonly platform: readonly string[];
  readonly cache: boolean;
  readonly pull?: boolean;
  readonly rootfs?: boolean;
  readonly entrypoint: readonly string[];
  readonly network: string;
  readonly memory: string;
  readonly cpus?: string;
  readonly pids: string;
  readonly timeout: string;
  readonly knownEscapes: string;
}

// A program that starts more processes at once than this is no compiler.
const pidsMax = 32_768;

/** What programs of RUN may use. @throws CliFault USAGE */
export function runLimits(flags: BuildFlags, cores: number): RunLimits {
  const { network } = flags;
  if (network !== "none" && network !== "host")
    throw new CliFault("USAGE", `--network is ${JSON.stringify(network)}; there are none and host`);
  const memoryBytes = parseQuantity(flags.memory);
  if (memoryBytes === undefined || memoryBytes < 1)
    throw new CliFault("USAGE", `--memory is ${JSON.stringify(flags.memory)}, not a size such as 2Gi`);
  const cpu = flags.cpus === undefined ? cores : parseQuantity(flags.cpus);
  if (cpu === undefined || cpu <= 0)
    throw new CliFault("USAGE", `--cpus is ${JSON.stringify(flags.cpus)}, not a number of cores such as 1.5`);
  const pids = /^\d{1,9}$/.test(flags.pids) ? Number(flags.pids) : 0;
  if (pids < 1 || pids > pidsMax)
    throw new CliFault("USAGE", `--pids is ${JSON.stringify(flags.pids)}, not a number up to ${pidsMax}`);
  const timeoutMs = parseDurationMs(flags.timeout);
  if (timeoutMs === undefined || timeoutMs < 1)
    throw new CliFault("USAGE", `--timeout is ${JSON.stringify(flags.timeout)}, not a duration such as 30m`);
  return { network, memoryBytes: Math.floor(memoryBytes), cpu, pidsMax: pids, timeoutMs };
}

/** @throws CliFault USAGE */
export function knownEscapes(flags: BuildFlags): "refuse" | "allow" {
  const { knownEscapes: policy } = flags;
  if (policy === "refuse" || policy === "allow") return policy;
  throw new CliFault("USAGE", `--known-escapes is ${JSON.stringify(policy)}; it takes refuse or allow`);
}

/** `NAME=VALUE`, or `NAME` for what the environment has under that name. @throws CliFault USAGE */
export function buildArgsOf(flags: BuildFlags, context: Context): Readonly<Record<string, string>> {
  const pairs = flags.buildArg.flatMap((text): readonly (readonly [string, string])[] => {
    if (text.includes("=")) return [pairOf("--build-arg", text, "NAME=VALUE")];
    const value = context.environment[text];
    return value === undefined ? [] : [[text, value]];
  });
  return Object.fromEntries(pairs);
}

/** @throws CliFault USAGE */
export const labelsOf = (flags: BuildFlags): Readonly<Record<string, string>> =>
  Object.fromEntries(flags.label.map((text) => pairOf("--label", text, "NAME=VALUE")));

/** Each may name several, with commas between; `linux` alone is this machine's. @throws CliFault USAGE */
export function platformsOf(flags: BuildFlags): readonly string[] | undefined {
  if (flags.platform.length === 0) return undefined;
  const platforms = flags.platform
    .flatMap((text) => text.split(","))
    .map((text) => (text === "linux" ? ownPlatform() : text));
  for (const platform of platforms) {
    if (platform !== "wasm" && !/^wasi(p[12])?\/wasm$/.test(platform) && !isLinuxPlatform(platform))
      throw new CliFault(
        "USAGE",
        `--platform is ${JSON.stringify(platform)}; it is wasm, linux, or linux/amd64 and the like`,
      );
  }
  return [...new Set(platforms)];
}
