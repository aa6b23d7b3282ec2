import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError } from "@shallop/sdk/internal";
import type { ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import { PodFault } from "../pod/pod-runtime.ts";
import type { InteractiveProcess } from "./kernel/interactive.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { NativePod } from "./native-pod.ts";
import { readBelowEtc } from "./image-files.ts";
import { resolveUser, type UserFiles } from "./image-user.ts";
import type { OciSpec, OciUser } from "./oci-spec.ts";
import type { PodRecord } from "./pod-record.ts";
import { type OciRuntime, runtimeComplaint } from "./oci-runtime.ts";

export interface ExecTools {
  readonly runtime: OciRuntime;
  readonly kernel: Kernel;
  readonly clock: Clock;
}

/** Files of one command that runs in a container. */
interface ExecFiles {
  readonly process: string;
  readonly pidFile: string;
  readonly log: string;
}

// A shell whose terminal is gone ends at once; what takes its time is a job that saves its work.
const hangUpGraceMs = 5000;

let commands = 0;

/** A container as far as its commands go. */
type ExecTarget = Pick<NativePod, "files" | "names" | "record">;

/**
 * Runs a command in a container, with the rights, user, environment and directory of the container's own program.
 * @throws PodFault EXEC_FAILED
 */
export async function startExec(pod: ExecTarget, request: ExecRequest, tools: ExecTools): Promise<ContainerProcess> {
  const name = join(pod.files.directory, `exec-${String(process.pid)}-${String(++commands)}`);
  const files: ExecFiles = { process: `${name}.json`, pidFile: `${name}.pid`, log: `${name}.log` };
  await writeFile(files.process, JSON.stringify(await execProcess(pod, request)), { mode: 0o600 });
  const { terminal } = request;
  const running = tools.runtime.exec(pod.names, { ...files, terminal, shimPid: pod.record.shimPid });
  const ended = running.ended.then(
    (code) => exitCodeOf(code, files),
    (error: unknown) => Promise.reject(new PodFault("EXEC_FAILED", describeError(error), { cause: error })),
  );
  const removed = ended.finally(() => removeFiles(files));
  removed.catch(() => undefined);
  const { stdin, stdout, stderr } = running;
  return {
    stdin,
    stdout,
    stderr,
    ended: removed,
    resize: (size) => running.resize(size),
    leave: () => void hangUp(pod, { running, files }, tools).catch(() => undefined),
  };
}

/** The container's `process`, with the command for its program. */
async function execProcess(pod: ExecTarget, request: ExecRequest): Promise<object> {
  const { process: own } = JSON.parse(await readFile(pod.files.config, "utf8")) as Pick<OciSpec, "process">;
  const env = [...own.env, ...(request.terminal ? ["TERM=xterm"] : []), ...(request.env ?? [])];
  return {
    ...own,
    ...{ env, args: request.command, terminal: request.terminal },
    ...(request.workingDir === undefined ? {} : { cwd: request.workingDir }),
    ...(request.user === undefined
      ? {}
      : { user: otherUser({ own: own.user, ...pod.record }, request.user, await userFiles(pod)) }),
  };
}

/** As the container's files are now: a program in it may have made users. */
async function userFiles({ files: { pidFile } }: ExecTarget): Promise<UserFiles> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 0) return { passwd: "", group: "" };
  const [passwd, group] = await Promise.all(["passwd", "group"].map((name) => readBelowEtc(`/proc/${pid}/root`, name)));
  return { passwd: passwd ?? "", group: group ?? "" };
}

/**
 * Whoever may run commands in a container says whose they are, as with Docker; `no_new_privs` is about what a program gains by itself.
 * Where the pod says that nothing of it is root's, nothing is. @throws PodFault EXEC_FAILED
 */
export function otherUser(
  { own, mayBeRoot }: Pick<PodRecord, "mayBeRoot"> & { readonly own: OciUser },
  text: string,
  files: UserFiles,
): OciUser {
  const user = resolveUser(text, files);
  if (typeof user === "string")
    throw new PodFault("EXEC_FAILED", `unable to find user ${JSON.stringify(text.slice(0, 80))}: ${user}`);
  if (user.uid === 0 && own.uid !== 0 && mayBeRoot !== true) {
    throw new PodFault("EXEC_FAILED", "the pod says runAsNonRoot: no command in it runs as root");
  }
  return user;
}

/** @throws PodFault EXEC_FAILED when the runtime could not start the command: its own code is no exit code of it */
async function exitCodeOf(code: number, files: ExecFiles): Promise<number> {
  const complaint = code === 0 ? undefined : await runtimeComplaint(files.log);
  if (complaint === undefined) return code;
  throw new PodFault("EXEC_FAILED", `the command could not be run: ${complaint}`);
}

async function removeFiles({ process, pidFile, log }: ExecFiles): Promise<void> {
  await Promise.all([process, pidFile, log].map((file) => rm(file, { force: true })));
}

/** Tells the command that nobody listens any more; after a grace it is killed. */
async function hangUp(
  pod: ExecTarget,
  command: { readonly running: InteractiveProcess; readonly files: ExecFiles },
  { kernel, clock }: ExecTools,
): Promise<void> {
  const { running, files } = command;
  const pid = Number(await readFile(files.pidFile, "utf8").catch(() => ""));
  running.stdin.end();
  running.signal("SIGHUP");
  await clock.sleep(hangUpGraceMs);
  // Its id may be another's by now; one that is in the container's cgroup is the container's.
  const living = await kernel.cgroups.processes(pod.names.runtimeCgroup);
  if (pid > 0 && living.includes(pid)) kernel.signal(pid, "SIGKILL");
  running.signal("SIGKILL");
}
