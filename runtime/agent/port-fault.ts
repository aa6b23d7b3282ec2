import { errorCode } from "@shallop/sdk/internal";
import { AgentFault } from "./fault-status.ts";

/** Says which flag helps when a port is taken. @throws AgentFault IN_USE, or the error as it was */
export const portFault = (flag: string, port: number) => (error: unknown) => {
  if (errorCode(error) !== "EADDRINUSE") throw error;
  throw new AgentFault("IN_USE", `port ${String(port)} is in use by another process; give --${flag}`, { cause: error });
};
