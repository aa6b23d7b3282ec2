import { basename } from "node:path";
import { type Clock, systemRandom } from "@shallop/sdk/internal";
import type { Egress } from "../component/egress/egress.ts";
import { artifactOf } from "../component/prepared-files.ts";
import { runCommand } from "../component/run-command.ts";
import { guestBounds } from "../component/wasi/guest-context.ts";
import type { RunFlags } from "./flags.ts";
import type { PreparedProgram } from "./prepared-program.ts";
import { StandaloneFault } from "./standalone-fault.ts";
import { StandardInput, terminals, writeThrough } from "./standard-streams.ts";

export interface RunOptions {
  readonly flags: RunFlags;
  readonly egress: Egress;
  readonly clock: Clock;
  /** Called when all is ready: from now on it is the guest's time. */
  readonly starting: () => void;
}

/** Runs a command component. @returns its exit code @throws GuestFault when it traps, StandaloneFault */
export async function runComponent(program: PreparedProgram, options: RunOptions): Promise<number> {
  const { flags, egress, clock, starting } = options;
  const artifact = artifactOf(program.files, program.modules);
  if (artifact.form !== "linked") {
    throw new StandaloneFault("FILE_INVALID", `${flags.file} is a command that this linker does not link`);
  }
  // Timers and reads of a guest that waits do not keep a process alive; this does.
  const { port1 } = new MessageChannel();
  port1.ref();
  starting();
  try {
    return await runCommand(artifact, {
      environment: flags.environment,
      arguments: [basename(flags.file), ...flags.arguments],
      initialCwd: undefined,
      directories: flags.directories,
      stdin: new StandardInput(),
      terminals: terminals(),
      clock,
      random: systemRandom,
      egress,
      log: writeThrough,
      ended: () => undefined,
      bounds: guestBounds,
      isShared: false,
    });
  } finally {
    port1.close();
  }
}
