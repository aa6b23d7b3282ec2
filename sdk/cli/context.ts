import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Credentials, type HttpsClient, httpsClient, readKubeconfig } from "../client/index.ts";
import { type Clock, systemClock } from "../internal/clock.ts";
import { systemRandom } from "../internal/random.ts";
import { CliFault } from "./cli-fault.ts";
import { type Progress, progressOn } from "./output/progress.ts";
import { type Style, styleFor } from "./output/style.ts";

/** What every command gets: where things are, and how to speak. Made once, in main.ts. */
export interface Context {
  readonly clock: Clock;
  readonly style: Style;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Base images, engines and local images. */
  readonly cacheDirectory: string;
  readonly print: (text: string) => void;
  readonly progress: () => Progress;
}

export function createContext(environment: Readonly<Record<string, string | undefined>>): Context {
  const colour = process.stdout.isTTY && environment["NO_COLOR"] === undefined;
  return {
    clock: systemClock,
    style: styleFor(colour),
    environment,
    cacheDirectory: join(environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "shallop"),
    print: (text) => void process.stdout.write(`${text}\n`),
    progress: () => progressOn(process.stderr, systemClock),
  };
}

/** Flags of every command that speaks to a platform. */
export interface ConnectionFlags {
  readonly data?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
}

export const dataDirectoryOf = (context: Context, flags: { readonly data?: string }): string =>
  resolve(flags.data ?? context.environment["SHALLOP_DATA"] ?? join(homedir(), ".shallop"));

/** A client for the platform. @throws CliFault NO_PLATFORM */
export async function connect(context: Context, flags: ConnectionFlags): Promise<HttpsClient> {
  const credentials = await credentialsOf(context, flags);
  return httpsClient(credentials, { clock: context.clock, random: systemRandom, name: "shallop" });
}

/**
 * How the platform is reached: `--kubeconfig`, else the data directory's when `--data` names one or a platform has been
 * started there, else KUBECONFIG. @throws CliFault NO_PLATFORM
 */
export async function credentialsOf(context: Context, flags: ConnectionFlags): Promise<Credentials> {
  const own = join(dataDirectoryOf(context, flags), "kubeconfig");
  const paths = [flags.kubeconfig, own, ...(flags.data === undefined ? [context.environment["KUBECONFIG"]] : [])];
  for (const path of paths) {
    if (path === undefined) continue;
    const found = await readKubeconfig(path).catch((error: unknown) => {
      if (path === flags.kubeconfig) throw error;
      return undefined;
    });
    if (found !== undefined) return found.credentials;
  }
  throw new CliFault(
    "NO_PLATFORM",
    "no platform to speak to; start one with shallop up, or name one with --kubeconfig FILE",
  );
}
