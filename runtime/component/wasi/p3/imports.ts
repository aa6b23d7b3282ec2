import { cliExit } from "../cli-exit.ts";
import { terminalInput, terminalOutput, terminalStderr, terminalStdin, terminalStdout } from "../cli-terminal.ts";
import type { Caller } from "../guest-context.ts";
import { cliEnvironment, cliStderr, cliStdin, cliStdout, cliTypes } from "./cli.ts";
import { clocksTypes, monotonicClock, systemClock, timezone } from "./clocks.ts";
import { filesystemPreopens, filesystemTypes } from "./descriptor.ts";
import { httpClient, httpTypes } from "./http.ts";
import { random, randomInsecure, randomInsecureSeed } from "./random.ts";
import { socketsIpNameLookup, socketsTypes } from "./sockets.ts";

/** Every interface of WASI 0.3 that this node provides: 0.3.0 and its release candidates of the same shape are one family. */
export const interfaces03: Readonly<Record<string, (caller: Caller) => object>> = {
  "wasi:cli/environment@0.3": cliEnvironment,
  "wasi:cli/exit@0.3": cliExit,
  "wasi:cli/stderr@0.3": cliStderr,
  "wasi:cli/stdin@0.3": cliStdin,
  "wasi:cli/stdout@0.3": cliStdout,
  "wasi:cli/terminal-input@0.3": terminalInput,
  "wasi:cli/terminal-output@0.3": terminalOutput,
  "wasi:cli/terminal-stderr@0.3": terminalStderr,
  "wasi:cli/terminal-stdin@0.3": terminalStdin,
  "wasi:cli/terminal-stdout@0.3": terminalStdout,
  "wasi:cli/types@0.3": cliTypes,
  "wasi:clocks/monotonic-clock@0.3": monotonicClock,
  "wasi:clocks/system-clock@0.3": systemClock,
  "wasi:clocks/timezone@0.3": timezone,
  "wasi:clocks/types@0.3": clocksTypes,
  "wasi:filesystem/preopens@0.3": filesystemPreopens,
  "wasi:filesystem/types@0.3": filesystemTypes,
  "wasi:http/client@0.3": httpClient,
  "wasi:http/types@0.3": httpTypes,
  "wasi:random/insecure@0.3": randomInsecure,
  "wasi:random/insecure-seed@0.3": randomInsecureSeed,
  "wasi:random/random@0.3": random,
  "wasi:sockets/ip-name-lookup@0.3": socketsIpNameLookup,
  "wasi:sockets/types@0.3": socketsTypes,
};
