import { Libc } from "./libc.ts";
import { type FilterPurpose, openingFilter, syscallFilter } from "./syscall-filter.ts";
import type { FilterArch } from "./syscall-numbers.ts";

const seccompCall: Readonly<Record<FilterArch, number>> = { x64: 317, arm64: 277 };
const setModeFilter = 1;
const allThreads = 1;
const noNewPrivileges = 38;

/**
 * Closes this process's system calls but those of its purpose, for all its threads and those to come, for good.
 * @throws SystemCallFault when this machine cannot
 */
export function closeSystemCalls(purpose: FilterPurpose): void {
  install(Libc.load(), syscallFilter(purpose, filterArch(), process.pid));
}

/** What is closed before a program starts, so that it starts with nothing that `closeSystemCalls` would break. */
export function closeOpeningCalls(libc: Libc): void {
  install(libc, openingFilter());
}

function install(libc: Libc, filter: Uint8Array): void {
  libc.check("no_new_privs", libc.functions.prctl(noNewPrivileges, 1n, 0n, 0n, 0n));
  // struct sock_fprog: the number of instructions, and where they are.
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  program.writeBigUInt64LE(libc.addressOf(filter), 8);
  libc.check("seccomp", libc.call(seccompCall[filterArch()], setModeFilter, allThreads, libc.addressOf(program)));
}

function filterArch(): FilterArch {
  const { arch } = process;
  if (arch === "x64" || arch === "arm64") return arch;
  throw new Error(`there is no filter of system calls for ${arch}`);
}

/** Ends this process without waiting for its threads; also where it is the first of its namespace, which cannot kill itself. */
export function endAtOnce(exitCode = 128 + 9): void {
  try {
    Libc.load().functions._exit(exitCode);
  } catch {
    process.kill(process.pid, "SIGKILL");
  }
}
