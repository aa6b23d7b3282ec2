import { spawn } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { type Clock, guestV8Flags } from "@shallop/sdk/internal";
import { PodFault } from "../pod/pod-runtime.ts";
import {
  controlLineCharsMax,
  type HostCommand,
  type HostMessage,
  type HostPod,
  type HostStatus,
} from "./control-protocol.ts";
import { JsonLines } from "./json-lines.ts";

const program = fileURLToPath(new URL("host-main.ts", import.meta.url));

/** Node's flags of a host process, beside V8's for guests. */
const hostNodeFlags: readonly string[] = [
  ...guestV8Flags,
  // SIGUSR1 would open the inspector's port.
  "--disable-sigusr1",
  // A guest that breaks out of V8 must not find the system calls laid out.
  "--no-experimental-ffi",
  "--no-addons",
  "--no-warnings",
];

export interface SpawnOptions {
  readonly socketPath: string;
  /** Directory for Node's compile cache of our own programs. */
  readonly compileCache: string;
  readonly clock: Clock;
}

export interface HostProcessHandlers {
  message(message: HostMessage): void;
  /** The process is gone. */
  exited(how: string): void;
}

type Reply = Extract<HostMessage, { type: "reply" | "refused" }>;
interface PendingReply {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}
// `Omit` alone would merge the members of the union.
type WithoutId<Command> = Command extends HostCommand ? Omit<Command, "id"> : never;

// A fresh process listens after 40 ms; a loaded machine may take far longer.
const connectTimeoutMs = 10_000;
const connectPauseMs = 2;

// Guests never run on the thread that answers: one that is this slow hangs.
const adoptTimeoutMs = 5000;
// Writing the compile cache takes milliseconds, on a busy disk longer.
const exitTimeoutMs = 2000;
const exitPauseMs = 5;

/** The agent's end of one host process, started by this agent or by one before it. */
export class HostProcess {
  readonly socketPath: string;
  readonly pid: number;
  readonly #lines: JsonLines;
  readonly #handlers: HostProcessHandlers;
  readonly #waiting = new Map<number, PendingReply>();
  #nextId = 1;
  #isGone = false;
  #isForgotten = false;

  private constructor(socketPath: string, pid: number, socket: Socket, handlers: HostProcessHandlers) {
    this.socketPath = socketPath;
    this.pid = pid;
    this.#handlers = handlers;
    this.#lines = new JsonLines(socket, controlLineCharsMax, {
      message: (value) => this.#receive(value as HostMessage),
      closed: () => this.#closed(),
    });
  }

  /** Starts a blank process: nothing of our environment, a session of its own so that it outlives the agent. */
  static async spawn(options: SpawnOptions, handlers: HostProcessHandlers): Promise<HostProcess> {
    const { socketPath, compileCache, clock } = options;
    const log = openSync(`${socketPath}.log`, "a", 0o600);
    try {
      const child = spawn(
        process.execPath,
        [...hostNodeFlags, program, "--socket", socketPath, "--compile-cache", compileCache],
        {
          // Guests never see it; see WASI's environment.
          env: { NODE_COMPILE_CACHE: compileCache },
          cwd: "/",
          detached: true,
          stdio: ["ignore", log, log],
        },
      );
      child.unref();
      const failed = new Promise<never>((_, reject) => {
        child.once("error", reject);
        child.once("exit", (code, signal) =>
          reject(new Error(`the host process ended with ${String(code ?? signal)}`)),
        );
      });
      failed.catch(() => undefined);
      const socket = await Promise.race([connectRetrying(socketPath, clock), failed]);
      return new HostProcess(socketPath, child.pid ?? 0, socket, handlers);
    } finally {
      closeSync(log);
    }
  }

  /** Takes over a process that runs already. @throws when nobody listens at `socketPath` */
  static async adopt(
    socketPath: string,
    clock: Clock,
    handlers: HostProcessHandlers,
  ): Promise<{ readonly host: HostProcess; readonly status: HostStatus }> {
    const socket = await connect(socketPath);
    const early: HostMessage[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<HostStatus>();
    // The pid is known only from the answer: a first, short conversation on a connection of its own.
    const lines = new JsonLines(socket, controlLineCharsMax, {
      message: (value) => {
        const message = value as HostMessage;
        if (message.type === "reply" && message.value !== undefined) resolve(message.value);
        else early.push(message);
      },
      closed: () => reject(new Error("the host process closed the connection")),
    });
    lines.send({ type: "list", id: 0 } satisfies HostCommand);
    const timer = clock.after(adoptTimeoutMs, () => lines.close());
    const status = await promise;
    timer.cancel();
    const host = new HostProcess(socketPath, status.pid, await connect(socketPath), handlers);
    lines.close();
    for (const message of early) handlers.message(message);
    return { host, status };
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** @throws PodFault */
  async start(pod: HostPod): Promise<void> {
    const reply = await this.#request({ type: "start", pod });
    if (reply.type === "refused") throw new PodFault(reply.code, reply.message);
  }

  async stop(uid: string, graceMs: number): Promise<void> {
    await this.#request({ type: "stop", uid, graceMs });
  }

  async abandoned(uid: string, requestIds: readonly string[]): Promise<void> {
    await this.#request({ type: "abandoned", uid, requestIds });
  }

  /** Ends the process, which has no pods, and resolves when it is gone and writes nothing any more. */
  async exit(clock: Clock): Promise<void> {
    this.#isForgotten = true;
    await this.#request({ type: "exit" }).catch(() => undefined);
    this.#lines.close();
    await this.gone(clock);
  }

  /** Resolves when the process is gone; one that does not go is killed. */
  async gone(clock: Clock): Promise<void> {
    const startedMs = clock.nowMs();
    while (this.#isAlive()) {
      if (clock.nowMs() - startedMs > exitTimeoutMs) this.kill();
      await clock.sleep(exitPauseMs);
    }
  }

  /** Leaves the process alone: it goes on without us. */
  forget(): void {
    this.#isForgotten = true;
    this.#lines.close();
  }

  kill(): void {
    if (this.pid === 0) return;
    try {
      process.kill(this.pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }

  #isAlive(): boolean {
    if (this.pid === 0) return false;
    try {
      return process.kill(this.pid, 0);
    } catch {
      return false;
    }
  }

  #request(command: WithoutId<HostCommand>): Promise<Reply> {
    if (this.#isGone) return Promise.reject(new PodFault("EXITED", "the host process is gone", { retryable: true }));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#lines.send({ ...command, id });
    });
  }

  #receive(message: HostMessage): void {
    if (message.type !== "reply" && message.type !== "refused") return this.#handlers.message(message);
    this.#waiting.get(message.id)?.resolve(message);
    this.#waiting.delete(message.id);
  }

  #closed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const fault = new PodFault("EXITED", "the host process ended", { retryable: true });
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
    if (!this.#isForgotten) this.#handlers.exited("the host process ended");
  }
}

function connect(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

async function connectRetrying(socketPath: string, clock: Clock): Promise<Socket> {
  const startedMs = clock.nowMs();
  for (;;) {
    try {
      return await connect(socketPath);
    } catch (error) {
      if (clock.nowMs() - startedMs > connectTimeoutMs) throw error;
      await clock.sleep(connectPauseMs);
    }
  }
}
