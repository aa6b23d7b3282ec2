import { constants } from "node:os";
import { PassThrough, type Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { assert, type Clock, guestV8Flags } from "@shallop/sdk/internal";
import type { PreparedComponent } from "../component/prepared-store.ts";
import type { AttachRequest, ContainerProcess } from "../pod/container-process.ts";
import type { PodExit, PodLaunch, PodObserver } from "../pod/pod-runtime.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { CellProcess } from "../sandbox/kernel/cell.ts";
import { firstOf, PodOutput } from "../sandbox/pod-output.ts";
import { type CellTask, taskDescriptor, taskText } from "../standalone/cell-task.ts";
import type { OpenVolumes } from "./component-volumes.ts";
import type { HostPlace } from "./host-place.ts";

export interface CommandPodSettings {
  readonly launch: PodLaunch;
  readonly prepared: PreparedComponent;
  readonly place: HostPlace;
  readonly cells: Cells;
  readonly egressAllowed: readonly string[];
  readonly volumes: OpenVolumes;
  readonly observer: Pick<PodObserver, "logged">;
  readonly clock: Clock;
}

const program = fileURLToPath(new URL("../standalone/main.ts", import.meta.url));
// What 32 bits address: no memory of a component is larger.
const memoryBytesMax = 2 ** 32;

/** A component that is a command, in a process of its own that ends when the command does. */
export class CommandPod {
  readonly launch: PodLaunch;
  readonly place: HostPlace;
  readonly process: CellProcess;
  readonly #output: PodOutput;
  readonly #ended = Promise.withResolvers<number>();

  private constructor({ launch, place, observer, clock }: CommandPodSettings, child: CellProcess) {
    this.launch = launch;
    this.place = place;
    this.process = child;
    const { stdout, stderr } = child;
    assert(stdout !== null && stderr !== null, "it has been given pipes");
    this.#output = PodOutput.of({ stdout, stderr }, clock, {
      logged: (line) => observer.logged(launch.uid, line),
      ...firstOf(launch.streams),
    });
    child.stdin?.on("error", () => undefined);
    child.once("error", () => this.#ended.resolve(exitCodeNotRun));
    child.once("exit", (code, signal) => this.#ended.resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  }

  static async start(settings: CommandPodSettings): Promise<CommandPod> {
    const { launch, prepared, place, cells, volumes } = settings;
    const directory = place.offer(launch.uid, prepared.pathOf);
    const child = cells.start({
      nodeArguments: [...guestV8Flags, "--no-warnings", program, "in-cell"],
      environment: place.environment,
      mounts: [...(await place.mounts()), ...volumes.mounts],
      uid: place.uid,
      network: "none",
      stdio: [launch.streams?.stdin === true ? "pipe" : "ignore", "pipe", "pipe", "pipe"],
    });
    const pod = new CommandPod(settings, child);
    const channel = child.stdio[taskDescriptor] as Writable;
    // Gone before it has read its task: its exit code says why.
    channel.on("error", () => undefined);
    channel.write(taskText(taskOf(settings, directory)));
    return pod;
  }

  /** Resolves when it has ended and all that it said was read. */
  async ended(): Promise<Pick<PodExit, "exitCode" | "message">> {
    const exitCode = await this.#ended.promise;
    await this.#output.drained();
    return { exitCode, message: exitCode === 0 ? "" : this.#output.lastLines() };
  }

  attach({ stdin }: AttachRequest): ContainerProcess {
    const tap = this.#output.tap();
    const input = stdin ? this.#joinInput() : undefined;
    return {
      stdin: input,
      stdout: tap.stdout,
      stderr: tap.stderr,
      ended: this.#ended.promise,
      // There is no terminal, whatever was asked for: a component has no use for one.
      resize: () => Promise.resolve(),
      leave: () => {
        tap.close();
        input?.destroy();
      },
    };
  }

  /** A component hears no signals. */
  kill(): void {
    this.process.kill("SIGKILL");
  }

  /** Its end is the input's only where that is to end with the first who joins. */
  #joinInput(): Writable | undefined {
    const { stdin } = this.process;
    if (stdin === null) return undefined;
    const input = new PassThrough();
    input.pipe(stdin, { end: this.launch.streams?.stdinOnce === true });
    return input;
  }
}

// As a shell has it of a program that is there and cannot be run.
const exitCodeNotRun = 126;

function taskOf(
  { launch, prepared, place, cells, egressAllowed, volumes }: CommandPodSettings,
  preparedDirectory: string,
): CellTask {
  const [name = launch.name, ...words] = launch.command ?? [];
  return {
    kind: "run",
    closesCalls: cells.ability.closesCalls,
    componentDigest: prepared.plan.componentDigest,
    hosts: [],
    pod: { preparedDirectory, egressSocket: place.egressSocket(launch.uid), egressAllowed },
    flags: {
      file: name,
      arguments: [...words, ...(launch.args ?? [])],
      environment: launch.env.map(({ name: variable, value }) => [variable, value] as const),
      memoryBytesMax: Math.min(memoryBytesMax, launch.limits.memoryBytes),
      directories: volumes.directories,
      allowedHosts: [],
      cacheDirectory: "",
      timeoutMs: undefined,
    },
  };
}
