import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "../internal/clock.ts";
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
/** From start to ready. A program does the same work in half a second on an idle machine. */
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

  /** Stops everything, last started first. */
  async stop(): Promise<void> {
    for (const ward of this.#wards.toReversed()) await ward.stop();
  }
}

/** A program through all its lives. */
class Ward {
  readonly #spec: ProgramSpec;
  readonly #options: SupervisorOptions;
  readonly #output: RotatingFile;
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
    await this.#program?.stop();
  }

  #launch(): Program {
    this.#program = new Program(this.#spec, this.#options.clock, this.#output, this.#options.env);
    return this.#program;
  }

  #watch(program: Program): void {
    void program.exited.then((exit) => this.#died(program, exit));
  }

  #died(program: Program, exit: ProgramExit): void {
    if (this.#state === "stopped") return;
    const { state, delayMs } = afterDeath(this.#restartState, this.#options.clock.nowMs() - program.startedMs);
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
