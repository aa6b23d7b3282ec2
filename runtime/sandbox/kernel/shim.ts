import { spawn } from "node:child_process";
import { once } from "node:events";
import { KernelFault, systemPath } from "./command.ts";
import type { Shim, ShimProcess } from "./kernel.ts";
import { onTerminal } from "./terminal.ts";

/**
 * What stands between the agent and a container: a shell in the pod's mount namespace, which goes when the container
 * goes, whatever happens to the agent. It writes down the exit code, so that an agent that was restarted meanwhile learns
 * it too.
 *
 * Descriptor 3 is the namespace: the container is not to have it. Descriptor 4, if there is one, keeps the container's input
 * from ending: a process holds it that waits until somebody has opened its FIFO and closed it again.
 *
 * $1 exit file; $2 that FIFO, or nothing; the rest is the runtime's command line.
 */
const script = `
exec 3<&-
exit_file=$1
gate=$2
shift 2
if [ -n "$gate" ]; then
  cat "$gate" </dev/null >/dev/null 2>&1 &
  keeper=$!
  exec 4<&-
fi
"$@"
echo "$?" >"$exit_file.new"
mv "$exit_file.new" "$exit_file"
[ -z "$gate" ] || kill "$keeper" 2>/dev/null
`;

export function startShim(shim: Shim): ShimProcess {
  const { exitFile, runtime, runtimeArgs, input, terminal } = shim;
  const { file, args } = terminal ? onTerminal(runtime, runtimeArgs) : { file: runtime, args: runtimeArgs };
  const command = ["sh", "-c", script, "shallop-shim", exitFile, input?.held?.gate ?? "", file, ...args];
  const held = input?.held === undefined ? [] : [input.held.fd];
  const child = spawn("nsenter", ["--mount=/proc/self/fd/3", "--", ...command], {
    cwd: "/",
    env: { PATH: systemPath, LC_ALL: "C", SHELL: "/bin/sh" },
    stdio: [input?.stdinFd ?? "ignore", shim.stdoutFd, shim.stderrFd, shim.mountsFd, ...held],
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
