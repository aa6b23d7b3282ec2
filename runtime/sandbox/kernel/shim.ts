import { spawn } from "node:child_process";
import { once } from "node:events";
import { KernelFault, systemPath } from "./command.ts";
import type { Shim, ShimProcess } from "./kernel.ts";

/**
 * What stands between the agent and a container: a shell in a mount namespace of its own. It mounts the root there, so
 * the mount goes when the container goes, whatever happens to the agent; and it writes down the exit code, so that an
 * agent that was restarted meanwhile learns it too.
 *
 * $1 overlay options, $2 root, $3 exit file, $4 cgroup tree to hide or empty; the rest is the runtime's command line.
 * An exit file that says `mount` means that the runtime was never started.
 */
const script = `
exit_file=$3
end() { echo "$1" >"$exit_file.new"; mv "$exit_file.new" "$exit_file"; exit 0; }
mount -t overlay -o "$1" shallop "$2" || end mount
if [ -n "$4" ]; then umount "$4" || end mount; fi
shift 4
"$@"
end $?
`;

// redirect_dir, metacopy: layers are untrusted, and these make overlayfs follow paths that a layer names.
const overlayOptions = "ro,nodev,nosuid,redirect_dir=nofollow,metacopy=off,index=off";

/** The data of mount(2) is one page; the last byte ends the string. */
export const overlayOptionBytesMax = 4095;

export function shimOverlayOptions(lowerNames: readonly string[]): string {
  return `${overlayOptions},lowerdir=${lowerNames.join(":")}`;
}

export function startShim(shim: Shim): ShimProcess {
  const args = [
    "--mount",
    "--propagation",
    "private",
    "--",
    "sh",
    "-c",
    script,
    "shallop-shim",
    shimOverlayOptions(shim.lowerNames),
    shim.rootfs,
    shim.exitFile,
    shim.hiddenCgroup ?? "",
    shim.runtime,
    ...shim.runtimeArgs,
  ];
  const child = spawn("unshare", args, {
    cwd: shim.lowerDirectory,
    // Always: newer mount(8) hands over each option by itself, and the kernel takes 256 bytes of one.
    env: { PATH: systemPath, LC_ALL: "C", LIBMOUNT_FORCE_MOUNT2: "always" },
    stdio: ["ignore", shim.stdoutFd, shim.stderrFd],
    // A session of its own: what ends the agent's does not end the pod.
    detached: true,
  });
  if (child.pid === undefined) {
    child.once("error", () => undefined);
    throw new KernelFault("COMMAND_MISSING", "cannot start unshare: is util-linux installed?");
  }
  child.unref();
  const ended = once(child, "exit").then(() => undefined);
  return { pid: child.pid, ended };
}
