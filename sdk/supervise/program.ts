import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../internal/clock.ts";
import { processCpuMs, whenOutOfTime } from "../internal/patience.ts";
import { keptSocketsVariable, type ReadyMessage, type ReplaceMessage, type RetireMessage } from "../internal/child.ts";
import type { KeptSockets } from "./kept-sockets.ts";
import type { RotatingFile } from "./rotating-file.ts";
import { SuperviseFault } from "./supervise-fault.ts";

/** What to run: a main.ts of the platform with its flags. */
export interface ProgramSpec {
  readonly name: string;
  readonly main: string;
  readonly args: readonly string[];
  /** Node's own flags. */
  readonly execArgv?: readonly string[];
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Last lines of output that are shown when a start fails: one screen. */
const tailBytesMax = 4 * 1024;
/** A program that has been asked to stop and does not within this is killed: its own drain has 30 s. */
const stopTimeoutMs = 35_000;

/** One that was replaced has a minute for idle connections, and then as long as a request may take. */
const retireTimeoutMs = 700_000;

const ownStdio = ["ignore", "pipe", "pipe", "ipc"] as const;

export interface ProgramContext {
  readonly clock: Clock;
  readonly output: RotatingFile;
  readonly env: Readonly<Record<string, string>>;
  readonly sockets: KeptSockets;
  /** The program asks for a new process in its place. */
  readonly askedToReplace: () => void;
}

/** One run of a program, from its start to its end. */
export class Program {
  readonly spec: ProgramSpec;
  readonly startedMs: number;
  readonly exited: Promise<ProgramExit>;
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  #tail = "";
  #readyMs: number | undefined;
  #exit: ProgramExit | undefined;

  constructor(spec: ProgramSpec, { clock, output, env, sockets, askedToReplace }: ProgramContext) {
    this.spec = spec;
    this.#clock = clock;
    this.startedMs = clock.nowMs();
    this.#child = spawn(process.execPath, [...(spec.execArgv ?? []), spec.main, ...spec.args], {
      stdio: [...ownStdio, ...sockets.descriptors],
      env: sockets.isEmpty ? { ...env } : { ...env, [keptSocketsVariable]: sockets.variable(ownStdio.length) },
    });
    this.#child.on("message", (message, handle) => {
      sockets.take(message, handle);
      if (isReplace(message)) askedToReplace();
    });
    const keep = (chunk: Buffer): void => {
      output.write(chunk);
      this.#tail = (this.#tail + chunk.toString("utf8")).slice(-tailBytesMax);
    };
    this.#child.stdout?.on("data", keep);
    this.#child.stderr?.on("data", keep);
    this.exited = new Promise((resolve) => {
      const done = (exit: ProgramExit): void => {
        this.#exit ??= exit;
        resolve(this.#exit);
      };
      this.#child.once("close", (code, signal) => done({ code, signal }));
      this.#child.once("error", () => done({ code: null, signal: null }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Since it was ready; 0 when it never was. */
  get servedMs(): number {
    return this.#readyMs === undefined ? 0 : this.#clock.nowMs() - this.#readyMs;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /**
   * Resolves with the facts of its ready message. One that is starved by others, and gets on, has longer than `timeoutMs`.
   * @throws SuperviseFault START_FAILED
   */
  async ready(timeoutMs: number): Promise<ReadyMessage["facts"]> {
    const said = new Promise<ReadyMessage["facts"]>((resolve) => {
      this.#child.on("message", (message) => {
        if (!isReady(message)) return;
        this.#readyMs = this.#clock.nowMs();
        resolve(message.facts);
      });
    });
    const late = Promise.withResolvers<"late">();
    const usedMs = (): number | undefined => (this.pid === undefined ? undefined : processCpuMs(this.pid));
    const timer = whenOutOfTime({ clock: this.#clock, timeoutMs, usedMs }, () => late.resolve("late"));
    try {
      const first = await Promise.race([said, this.exited.then(() => "ended" as const), late.promise]);
      if (first === "late") {
        const waitedMs = this.#clock.nowMs() - this.startedMs;
        throw this.#failed(`was not ready within ${Math.round(waitedMs / 1000)} s`);
      }
      if (first === "ended") throw this.#failed("ended while it started");
      return first;
    } finally {
      timer.cancel();
    }
  }

  /** Asks it to stop, and ends it if it does not. */
  async stop(): Promise<void> {
    if (this.running) this.#child.kill("SIGTERM");
    await this.#ended(stopTimeoutMs);
  }

  /** Tells it that another one has taken over, and ends it if it does not end itself. */
  async retire(): Promise<void> {
    const message: RetireMessage = { type: "retire" };
    if (this.running) this.#child.send(message, () => undefined);
    await this.#ended(retireTimeoutMs);
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  async #ended(timeoutMs: number): Promise<void> {
    if (!this.running) return;
    const timer = this.#clock.after(timeoutMs, () => this.#child.kill("SIGKILL"));
    await this.exited;
    timer.cancel();
  }

  #failed(what: string): SuperviseFault {
    const output = this.#tail.trim();
    return new SuperviseFault(
      "START_FAILED",
      `${this.spec.name} ${what}${output === "" ? "" : `; it said:\n${output}`}`,
    );
  }
}

const isReplace = (message: unknown): message is ReplaceMessage =>
  typeof message === "object" && message !== null && "type" in message && message.type === "replace";

function isReady(message: unknown): message is ReadyMessage {
  return (
    typeof message === "object" &&
    message !== null &&
    "type" in message &&
    message.type === "ready" &&
    "facts" in message
  );
}
