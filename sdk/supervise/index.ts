export { askControl, controlSocketPath, serveControl } from "./control-socket.ts";
export { checkUnlocked, ensureDataDirectory, lockDataDirectory, lockHolder } from "./data-directory.ts";
export { checkPorts } from "./ports.ts";
export type { ProgramSpec } from "./program.ts";
export { SuperviseFault } from "./supervise-fault.ts";
export { type ProgramStatus, Supervisor } from "./supervisor.ts";
