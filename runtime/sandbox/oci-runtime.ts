import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "@shallop/sdk/internal";
import type { InteractiveProcess } from "./kernel/interactive.ts";
import type { Kernel, ShimInput, ShimProcess } from "./kernel/kernel.ts";
import type { OciRuntimeProgram } from "./oci-runtime-program.ts";
import type { PodFiles, PodNames } from "./pod-files.ts";

/** `runc state` (runtime-spec, runtime.md "State"), as far as it is acted on. */
export type ContainerStatus = "creating" | "created" | "running" | "paused" | "stopped" | "none";

export interface ContainerLaunch {
  readonly names: PodNames;
  readonly files: PodFiles;
  readonly mountsFd: number;
  readonly stdoutFd: number;
  readonly stderrFd: number;
  /** Its program has a terminal, whose output is stdout. */
  readonly terminal: boolean;
  /** Undefined: nothing can be read. */
  readonly input?: ShimInput;
}

export interface ContainerExec {
  /** File of the process to run: the runtime-spec's `process` object. */
  readonly process: string;
  /** Where the runtime writes its id on this machine. */
  readonly pidFile: string;
  readonly log: string;
  readonly terminal: boolean;
  readonly shimPid: number;
}

/** Containers by runc or crun, with a state directory of our own. */
export class OciRuntime {
  readonly program: OciRuntimeProgram;
  readonly #kernel: Kernel;
  readonly #root: string;
  readonly #hasCgroups: boolean;

  constructor(kernel: Kernel, program: OciRuntimeProgram, root: string, hasCgroups = true) {
    this.#kernel = kernel;
    this.#hasCgroups = hasCgroups;
    this.program = program;
    this.#root = root;
  }

  /** `runc://…`, as `containerStatuses[].containerID` wants it. */
  containerId(names: PodNames): string {
    return `${this.program.kind}://${names.containerId}`;
  }

  /**
   * Starts the container under a shim. The runtime stays in the foreground, for only its exit code tells how the
   * container ended; runc keeps what is left of the container then, so that its cgroup can still be asked why.
   */
  launch(launch: ContainerLaunch): ShimProcess {
    const { names, files } = launch;
    const { kind, path } = this.program;
    const keep = kind === "runc" ? ["--keep"] : [];
    return this.#kernel.startShim({
      mountsFd: launch.mountsFd,
      exitFile: files.exit,
      runtime: path,
      runtimeArgs: [
        ...this.#globals(),
        "--log",
        files.runtimeLog,
        "--log-format",
        "json",
        "run",
        ...keep,
        "--bundle",
        files.bundle,
        "--pid-file",
        files.pidFile,
        names.containerId,
      ],
      terminal: launch.terminal,
      ...(launch.input === undefined ? {} : { input: launch.input }),
      stdoutFd: launch.stdoutFd,
      stderrFd: launch.stderrFd,
    });
  }

  /** A cgroup tree that the runtime must not see: crun refuses machines with v1 controllers and a v2 tree beside them. */
  get hiddenCgroup(): string | undefined {
    const { unified, mode } = this.#kernel.cgroups.layout;
    return this.program.kind === "crun" && mode === "hybrid" ? unified : undefined;
  }

  /** Runs a command in the container, as the bundle's `process` object in `files.process` says. */
  exec(names: PodNames, exec: ContainerExec): InteractiveProcess {
    const { path } = this.program;
    const args = [
      ...this.#globals(),
      ...["--log", exec.log, "--log-format", "json", "exec", "--pid-file", exec.pidFile],
      ...["--process", exec.process, names.containerId],
    ];
    // The shim sees no cgroup tree that the runtime must not see.
    const program =
      this.hiddenCgroup !== undefined
        ? { file: "nsenter", args: ["--mount", "--target", String(exec.shimPid), "--", path, ...args] }
        : { file: path, args };
    return this.#kernel.interactive({ ...program, terminal: exec.terminal, pidFile: exec.pidFile });
  }

  async status(names: PodNames): Promise<ContainerStatus> {
    const result = await this.#kernel.runtime(this.program.path, [...this.#globals(), "state", names.containerId]);
    if (result.code !== 0) return "none";
    const status = /"status": ?"(creating|created|running|paused|stopped)"/.exec(result.stdout)?.[1];
    return isStatus(status) ? status : "none";
  }

  /** Sends a signal to the container's first process. One that is gone is no error. */
  async signal(names: PodNames, signal: "TERM" | "KILL" | number): Promise<void> {
    await this.#kernel.runtime(this.program.path, [...this.#globals(), "kill", names.containerId, String(signal)]);
  }

  /** Ends what runs, and removes all that the runtime made. One that is gone is no error. */
  async remove(names: PodNames): Promise<void> {
    await this.#kernel.runtime(this.program.path, [...this.#globals(), "delete", "--force", names.containerId]);
    // What a start that was cut off leaves: a directory that the runtime does not know as a container.
    await rm(join(this.#root, names.containerId), { recursive: true, force: true });
  }

  /** Without cgroups, runc sees for itself that it may have none. */
  readonly #globals = (): readonly string[] => [
    ...["--root", this.#root],
    ...(!this.#hasCgroups && this.program.kind === "crun" ? ["--cgroup-manager=disabled"] : []),
  ];
}

const statuses = ["creating", "created", "running", "paused", "stopped"] as const;
const isStatus = (text: string | undefined): text is (typeof statuses)[number] =>
  statuses.some((status) => status === text);

// A start that fails logs a line or two. More than this is not read: the container had no part in it.
const runtimeLogBytesMax = 64 * 1024;

/** Why the runtime could not start the container, in its own words; undefined when it did not complain. */
export async function runtimeComplaint(log: string): Promise<string | undefined> {
  const text = (await readFile(log, "utf8").catch(() => "")).slice(-runtimeLogBytesMax);
  const complaints = text.split("\n").flatMap((line) => complaintOf(line) ?? []);
  return complaints.at(-1);
}

function complaintOf(line: string): string | undefined {
  if (line === "") return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null || !("msg" in entry) || typeof entry.msg !== "string")
      return undefined;
    // crun's lines all are errors, and say no level in old versions.
    const level = "level" in entry ? entry.level : "error";
    return level === "error" || level === "fatal" ? entry.msg : undefined;
  } catch (error) {
    return `unreadable log of the runtime: ${describeError(error)}`;
  }
}
