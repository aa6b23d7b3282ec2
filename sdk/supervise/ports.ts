import { createServer } from "node:net";
import type { Clock } from "../internal/clock.ts";
import { errorCode } from "../internal/fault.ts";
import { SuperviseFault } from "./supervise-fault.ts";

/** A port that the platform wants, and the flag that chooses another. */
export interface WantedPort {
  readonly port: number;
  readonly flag: string;
  readonly what: string;
}

const pauseMs = 50;

/**
 * @param patience how long a port that is taken is waited for; not at all when absent
 * @throws SuperviseFault PORT_IN_USE, naming the first port that is taken
 */
export async function checkPorts(
  host: string,
  ports: readonly WantedPort[],
  patience?: { readonly clock: Clock; readonly waitMs: number },
): Promise<void> {
  const untilMs = patience === undefined ? 0 : patience.clock.nowMs() + patience.waitMs;
  for (const { port, flag, what } of ports) {
    if (port === 0) continue;
    for (;;) {
      const code = await tryListen(host, port);
      if (code === undefined) break;
      if (patience === undefined || code !== "EADDRINUSE" || patience.clock.nowMs() >= untilMs)
        throw new SuperviseFault("PORT_IN_USE", sentence(host, { port, flag, what }, code));
      await patience.clock.sleep(pauseMs);
    }
  }
}

function sentence(host: string, { port, flag, what }: WantedPort, code: string): string {
  const another = `choose another with ${flag} PORT`;
  if (code === "EADDRINUSE") return `port ${port} for ${what} is in use; ${another}`;
  if (notOfThisMachine.has(code))
    return `${host} is no address of this machine (${code}); choose another with --host ADDRESS`;
  return `port ${port} for ${what} cannot be listened on (${code}); ${another}`;
}

/** What the system says of the address, whatever the port. */
const notOfThisMachine: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EINVAL"]);

/** @returns the error's code, or undefined when the port is free. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(errorCode(error) ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
