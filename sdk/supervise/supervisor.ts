import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "../internal/clock.ts";
import { describeError } from "../internal/fault.ts";
import { KeptSockets } from "./kept-sockets.ts";
import { Program, type ProgramExit, type ProgramSpec } from "./program.ts";
import { afterDeath, freshRestartState, type RestartState } from "./restart-policy.ts";
import { RotatingFile } from "./rotating-file.ts";

export interface ProgramStatus {
  readonly name: string;
  readonly pid: number | undefined;
  readonly state: "starting" | "ready" | "waiting" | "stopped";
  readonly restarts: number;
  readonly uptimeMs: number;
  readonly facts: Readonly<Record<string, string>>;
}

export interface SupervisorOptions {
  readonly clock: Clock;
  /** Where `NAME.log` of each program is kept. */
  readonly logDirectory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Told when a program died and when it is back. */
  readonly onChange: (name: string, sentence: string) => void;
}

/** Two files of this for each program: some days of a quiet platform, minutes of one that screams. */
const logBytesMax = 8 * 1024 * 1024;
/** From start to ready, where there are processors enough. A program does the same work in half a second on an idle machine. */
const readyTimeoutMs = 30_000;

/** Runs programs and restarts what dies, until it is told to stop. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #wards: Ward[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    mkdirSync(options.logDirectory, { recursive: true });
  }

  /** Starts a program and waits until it is ready; from then on it is kept running. @throws SuperviseFault START_FAILED */
  async start(spec: ProgramSpec): Promise<Readonly<Record<string, string>>> {
    const ward = new Ward(spec, this.#options);
    this.#wards.push(ward);
    return ward.start();
  }

  status(): readonly ProgramStatus[] {
    return this.#wards.map((ward) => ward.status());
  }

  /** Puts a new process in the place of a program's, as a program itself may ask for. */
  async replace(name: string): Promise<void> {
    await this.#wards.find((ward) => ward.status().name === name)?.replace();
  }

  /** Stops everything, last started first. */
  async stop(): Promise<void> {
    for (const ward of this.#wards.toReversed()) await ward.stop();
  }
}

/** Processes that finish what they have while another one is in their place; who replaces a program more often cuts the oldest off. */
const retiringMax = 4;

/** A program through all its lives. */
class Ward {
  readonly #spec: ProgramSpec;
  readonly #options: SupervisorOptions;
  readonly #output: RotatingFile;
  readonly #sockets = new KeptSockets();
  /** Processes that were replaced, and have not ended. */
  readonly #retiring = new Set<Program>();
  #program: Program | undefined;
  #restartState: RestartState = freshRestartState;
  #restarts = 0;
  #facts: Readonly<Record<string, string>> = {};
  #state: ProgramStatus["state"] = "starting";
  #timer: Timer | undefined;

  constructor(spec: ProgramSpec, options: SupervisorOptions) {
    this.#spec = spec;
    this.#options = options;
    this.#output = new RotatingFile(join(options.logDirectory, `${spec.name}.log`), logBytesMax);
  }

  /**
   * Puts a new process in the place of the one that runs: it starts with the sockets of the old one, which finishes what it has
   * once the new one is ready. Where the new one does not start the old one goes on.
   */
  async replace(): Promise<void> {
    const old = this.#program;
    if (this.#state !== "ready" || old === undefined) return;
    this.#state = "starting";
    const program = this.#launch();
    try {
      this.#facts = await program.ready(readyTimeoutMs);
    } catch (error) {
      await program.stop();
      // Where the old one has died meanwhile, the new one's death is the program's, and it is started again.
      if (!old.running) return this.#died(program, await program.exited);
      this.#program = old;
      if (!this.#isStopped()) this.#state = "ready";
      return this.#options.onChange(this.#spec.name, `was not replaced: ${describeError(error)}`);
    }
    this.#watch(program);
    if (this.#isStopped()) return program.stop();
    this.#state = "ready";
    this.#options.onChange(this.#spec.name, "was replaced");
    this.#retiring.add(old);
    const [oldest] = this.#retiring;
    if (this.#retiring.size > retiringMax) void oldest?.end();
    await old.retire();
    this.#retiring.delete(old);
  }

  async start(): Promise<Readonly<Record<string, string>>> {
    const program = this.#launch();
    try {
      this.#facts = await program.ready(readyTimeoutMs);
    } catch (error) {
      this.#state = "stopped";
      await program.stop();
      throw error;
    }
    this.#state = "ready";
    this.#watch(program);
    return this.#facts;
  }

  status(): ProgramStatus {
    const program = this.#program;
    const alive = program?.running === true;
    return {
      name: this.#spec.name,
      pid: alive ? program.pid : undefined,
      state: this.#state,
      restarts: this.#restarts,
      uptimeMs: alive ? this.#options.clock.nowMs() - program.startedMs : 0,
      facts: this.#facts,
    };
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    // Their clients have been told, and nobody is left to come back to.
    await Promise.all([this.#program?.stop(), ...[...this.#retiring].map((program) => program.end())]);
    this.#sockets.close();
  }

  #launch(): Program {
    const { clock, env } = this.#options;
    const askedToReplace = (): void => void this.replace();
    const output = this.#output;
    this.#program = new Program(this.#spec, { clock, output, env, sockets: this.#sockets, askedToReplace });
    return this.#program;
  }

  /** By then somebody may have asked for it. */
  #isStopped(): boolean {
    return this.#state === "stopped";
  }

  #watch(program: Program): void {
    void program.exited.then((exit) => this.#died(program, exit));
  }

  #died(program: Program, exit: ProgramExit): void {
    if (this.#state === "stopped" || program !== this.#program) return;
    const { state, delayMs } = afterDeath(this.#restartState, program.servedMs);
    this.#restartState = state;
    this.#state = "waiting";
    this.#options.onChange(this.#spec.name, `${describeExit(exit)}; starting it again in ${delayMs} ms`);
    this.#timer = this.#options.clock.after(delayMs, () => void this.#restart());
  }

  async #restart(): Promise<void> {
    this.#restarts += 1;
    this.#state = "starting";
    const program = this.#launch();
    this.#watch(program);
    try {
      this.#facts = await program.ready(readyTimeoutMs);
      if (this.#program !== program || !program.running) return;
      this.#state = "ready";
      this.#options.onChange(this.#spec.name, "is back");
    } catch {
      // It died, which is watched, or it hangs: then it is ended, and its death is watched too.
      await program.stop();
    }
  }
}

const describeExit = ({ code, signal }: ProgramExit): string =>
  signal === null ? `ended with code ${String(code)}` : `was ended by ${signal}`;
