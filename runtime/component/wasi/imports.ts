import { cliEnvironment } from "./cli-environment.ts";
import { cliExit } from "./cli-exit.ts";
import { cliStderr, cliStdin, cliStdout } from "./cli-stdio.ts";
import { terminalInput, terminalOutput, terminalStderr, terminalStdin, terminalStdout } from "./cli-terminal.ts";
import { filesystemPreopens, filesystemTypes } from "./filesystem/interfaces.ts";
import type { Caller } from "./guest-context.ts";
import { httpOutgoingHandler } from "./http-outgoing-handler.ts";
import { httpTypes } from "./http-types.ts";
import { ioError } from "./io-error.ts";
import { ioPoll } from "./io-poll.ts";
import { ioStreams } from "./io-streams.ts";
import { interfaces03 } from "./p3/imports.ts";
import { monotonicClock } from "./monotonic-clock.ts";
import { random, randomInsecure, randomInsecureSeed } from "./random.ts";
import { socketsIpNameLookup } from "./sockets/ip-name-lookup.ts";
import { socketsInstanceNetwork, socketsNetwork } from "./sockets/network.ts";
import { socketsTcp, socketsTcpCreate } from "./sockets/tcp-socket.ts";
import { socketsUdp, socketsUdpCreate } from "./sockets/udp-socket.ts";
import { timezone } from "./timezone.ts";
import { wallClock } from "./wall-clock.ts";

type MakeInterface = (caller: Caller) => object;

/** Every interface of WASI 0.2 that this node provides, without version: 0.2.0 to 0.2.12 are one family. */
const interfaces02: Readonly<Record<string, MakeInterface>> = {
  "wasi:cli/environment": cliEnvironment,
  "wasi:cli/exit": cliExit,
  "wasi:cli/stderr": cliStderr,
  "wasi:cli/stdin": cliStdin,
  "wasi:cli/stdout": cliStdout,
  "wasi:cli/terminal-input": terminalInput,
  "wasi:cli/terminal-output": terminalOutput,
  "wasi:cli/terminal-stderr": terminalStderr,
  "wasi:cli/terminal-stdin": terminalStdin,
  "wasi:cli/terminal-stdout": terminalStdout,
  "wasi:clocks/monotonic-clock": monotonicClock,
  "wasi:clocks/timezone": timezone,
  "wasi:clocks/wall-clock": wallClock,
  "wasi:filesystem/preopens": filesystemPreopens,
  "wasi:filesystem/types": filesystemTypes,
  "wasi:http/outgoing-handler": httpOutgoingHandler,
  "wasi:http/types": httpTypes,
  "wasi:io/error": ioError,
  "wasi:io/poll": ioPoll,
  "wasi:io/streams": ioStreams,
  "wasi:random/insecure": randomInsecure,
  "wasi:random/insecure-seed": randomInsecureSeed,
  "wasi:random/random": random,
  "wasi:sockets/instance-network": socketsInstanceNetwork,
  "wasi:sockets/ip-name-lookup": socketsIpNameLookup,
  "wasi:sockets/network": socketsNetwork,
  "wasi:sockets/tcp": socketsTcp,
  "wasi:sockets/tcp-create-socket": socketsTcpCreate,
  "wasi:sockets/udp": socketsUdp,
  "wasi:sockets/udp-create-socket": socketsUdpCreate,
};

/** All of 0.2, without version, and all of 0.3, as `name@0.3`. */
const interfaces: Readonly<Record<string, MakeInterface>> = { ...interfaces02, ...interfaces03 };

/** The host of one instance, or of several that follow each other. Interfaces are made when they are asked for, and only those. */
export function wasiImports(caller: Caller): Record<string, unknown> {
  const imports: Record<string, unknown> = {};
  for (const [name, make] of Object.entries(interfaces)) {
    Object.defineProperty(imports, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const value = make(caller);
        Object.defineProperty(imports, name, { value });
        return value;
      },
    });
  }
  return imports;
}
