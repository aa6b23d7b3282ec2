import { spawn } from "node:child_process";
import { once } from "node:events";
import { KernelFault, systemPath } from "./command.ts";
import type { Shim, ShimProcess } from "./kernel.ts";

/**
 * What stands between the agent and a container: a shell in the pod's mount namespace, which goes when the container
 * goes, whatever happens to the agent. It writes down the exit code, so that an agent that was restarted meanwhile learns
 * it too.
 *
 * $1 exit file; the rest is the runtime's command line. Descriptor 3 is the namespace: the container is not to have it.
 */
const script = `
exec 3<&-
exit_file=$1
shift
"$@"
echo "$?" >"$exit_file.new"
mv "$exit_file.new" "$exit_file"
`;

export function startShim(shim: Shim): ShimProcess {
  const { exitFile, runtime, runtimeArgs } = shim;
  const command = ["sh", "-c", script, "shallop-shim", exitFile, runtime, ...runtimeArgs];
  const child = spawn("nsenter", ["--mount=/proc/self/fd/3", "--", ...command], {
    cwd: "/",
    env: { PATH: systemPath, LC_ALL: "C" },
    stdio: [shim.stdinFd ?? "ignore", shim.stdoutFd, shim.stderrFd, shim.mountsFd],
    // A session of its own: what ends the agent's does not end the pod.
    detached: true,
  });
  if (child.pid === undefined) {
    child.once("error", () => undefined);
    throw new KernelFault("COMMAND_MISSING", "cannot start nsenter: is util-linux installed?");
  }
  child.unref();
  const ended = once(child, "exit").then(() => undefined);
  return { pid: child.pid, ended };
}
