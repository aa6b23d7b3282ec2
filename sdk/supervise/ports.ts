import { createServer } from "node:net";
import { errorCode } from "../internal/fault.ts";
import { SuperviseFault } from "./supervise-fault.ts";

/** A port that the platform wants, and the flag that chooses another. */
export interface WantedPort {
  readonly port: number;
  readonly flag: string;
  readonly what: string;
}

/** @throws SuperviseFault PORT_IN_USE, naming the first port that is taken */
export async function checkPorts(host: string, ports: readonly WantedPort[]): Promise<void> {
  for (const { port, flag, what } of ports) {
    if (port === 0) continue;
    const code = await tryListen(host, port);
    if (code === undefined) continue;
    const why = code === "EADDRINUSE" ? "is in use" : `cannot be listened on (${code})`;
    throw new SuperviseFault("PORT_IN_USE", `port ${port} for ${what} ${why}; choose another with ${flag} PORT`);
  }
}

/** @returns the error's code, or undefined when the port is free. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(errorCode(error) ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
