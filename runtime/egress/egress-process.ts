import { chown, mkdir, rm, stat } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Log } from "@shallop/sdk/internal";
import { JsonLines } from "../host/json-lines.ts";
import { connectStarting, connectUnix } from "../host/unix-connect.ts";
import { type Cells, seen } from "../sandbox/cell/cells.ts";
import { cellPid } from "../sandbox/kernel/cell.ts";
import { recordedProcess, recordProcess } from "../sandbox/kernel/process-record.ts";
import {
  commandCharsMax,
  type EgressCommand,
  type EgressGrant,
  type EgressReply,
  type ServiceDirectory,
} from "./egress-protocol.ts";

export interface EgressProcessSettings {
  readonly runDirectory: string;
  readonly cells: Cells;
  /** Directory of Node's compile cache of our own programs. */
  readonly compileCache: string;
  readonly clock: Clock;
  readonly log: Log;
}

// What getaddrinfo reads.
const resolverFiles = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"];
const program = fileURLToPath(new URL("egress-main.ts", import.meta.url));
const endPauseMs = 5;
// It ends by itself only when something is wrong; to start it at once again and again would be a load.
const restartPauseMs = 500;

/**
 * The node's egress proxy, as its agent holds it: started, or taken over from an earlier agent, and started again when
 * it ends. A process of its own: it speaks to the whole network and reads what host processes write, which may have
 * been taken over, and has nothing of what the agent has.
 */
export class EgressProcess {
  readonly #settings: EgressProcessSettings;
  readonly #directory: string;
  #services: ServiceDirectory | undefined;
  readonly #grants = new Map<string, EgressGrant>();
  readonly #waiting = new Map<number, (reply: EgressReply) => void>();
  #uid: number | undefined;
  #pid: number | undefined;
  #lines: JsonLines | undefined;
  #nextId = 1;
  #isStarted = false;
  #closed = false;

  constructor(settings: EgressProcessSettings) {
    this.#settings = settings;
    this.#directory = join(settings.runDirectory, "e");
  }

  /** Makes its directory, which tells who it is. To be called first. */
  async open(): Promise<void> {
    const { cells } = this.#settings;
    const found = await stat(this.#directory).catch(() => undefined);
    if (found !== undefined && found.uid !== process.getuid?.()) {
      this.#uid = found.uid;
      cells.reserveUser(found.uid);
      return;
    }
    this.#uid = cells.takeUser();
    await mkdir(this.#directory, { recursive: true, mode: 0o755 });
    await this.#own(this.#directory);
  }

  /** Where the directories of host processes are. */
  get directory(): string {
    return this.#directory;
  }

  /** Starts it, or takes it over, once; not waited for: who asks before it listens tries again. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    void this.#keepRunning();
  }

  /** The directory with the sockets that one host process sees. */
  directoryOf(host: string): string {
    return join(this.#directory, host);
  }

  async makeDirectory(host: string): Promise<void> {
    const directory = this.directoryOf(host);
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await this.#own(directory);
  }

  async removeDirectory(host: string): Promise<void> {
    await rm(this.directoryOf(host), { recursive: true, force: true });
  }

  /** The pod whose socket this is may reach what the grant says. Resolves when it can ask, or there is no proxy yet. */
  async allow(socket: string, grant: EgressGrant): Promise<void> {
    this.#grants.set(socket, grant);
    await this.#command({ type: "open", socket, grant });
  }

  async forbid(socket: string): Promise<void> {
    this.#grants.delete(socket);
    await this.#command({ type: "close", socket });
  }

  /** What of the cluster's Services pods find. */
  async lead(directory: ServiceDirectory): Promise<void> {
    this.#services = directory;
    await this.#command({ type: "services", directory });
  }

  /** Lets go of it; it goes on for as long as host processes do. With `keep: false` it ends. */
  async close({ keep }: { readonly keep: boolean }): Promise<void> {
    this.#closed = true;
    if (keep) {
      this.#lines?.close();
      return;
    }
    await this.#command({ type: "exit" });
    this.#lines?.close();
    await this.#end();
    await rm(this.#directory, { recursive: true, force: true });
    this.#settings.cells.releaseUser(this.#uid);
  }

  get #socketPath(): string {
    return join(this.#directory, "control.sock");
  }

  get #record(): string {
    return `${this.#directory}.pid`;
  }

  async #own(directory: string): Promise<void> {
    if (this.#uid !== undefined) await chown(directory, this.#uid, this.#uid);
  }

  async #keepRunning(): Promise<void> {
    const { clock, log } = this.#settings;
    while (!this.#closed) {
      try {
        const socket = (await connectUnix(this.#socketPath).catch(() => undefined)) ?? (await this.#spawn());
        this.#pid = (await recordedProcess(this.#record))?.pid;
        await this.#connected(socket);
        if (!this.#closed) log.warn("the egress proxy ended and is started again");
      } catch (error) {
        log.error("the egress proxy could not be started: guests reach nothing", error);
      }
      if (!this.#closed) await clock.sleep(restartPauseMs);
    }
  }

  /** Resolves when the connection is over. */
  #connected(socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      const lines = new JsonLines(socket, commandCharsMax, {
        message: (value) => {
          const reply = value as EgressReply;
          this.#waiting.get(reply.id)?.(reply);
          this.#waiting.delete(reply.id);
        },
        closed: () => {
          this.#lines = undefined;
          for (const [id, waiting] of this.#waiting) waiting({ id, problem: "the egress proxy ended" });
          this.#waiting.clear();
          resolve();
        },
      });
      this.#lines = lines;
      if (this.#services !== undefined) void this.#command({ type: "services", directory: this.#services });
      for (const [path, grant] of this.#grants) void this.#command({ type: "open", socket: path, grant });
    });
  }

  async #spawn(): Promise<Socket> {
    const { cells, clock, compileCache } = this.#settings;
    await this.#end();
    await rm(this.#socketPath, { force: true });
    const directory = this.#directory;
    const child = cells.start({
      nodeArguments: [
        ...["--disable-sigusr1", "--no-addons", "--no-warnings", "--max-old-space-size=256"],
        ...[program, "--socket", this.#socketPath],
        ...(cells.ability.closesCalls ? ["--close-calls"] : []),
      ],
      // Of Node's threads half are for names.
      environment: {
        UV_THREADPOOL_SIZE: "32",
        ...(cells.ability.tree === "none" ? { NODE_COMPILE_CACHE: compileCache } : {}),
      },
      mounts: [{ from: directory, to: directory, writable: true }, ...(await existing(resolverFiles)).map(seen)],
      uid: this.#uid,
      network: "machine",
      detached: true,
      stdio: "ignore",
    });
    child.unref();
    const failed = new Promise<never>((_, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the egress proxy ended with ${String(code)}`)));
    });
    const socket = await connectStarting(this.#socketPath, clock, failed);
    const pid = await cellPid(child);
    if (pid !== undefined) await recordProcess(this.#record, { pid, note: "" });
    return socket;
  }

  /** Ends a process that is there and does not answer. */
  async #end(): Promise<void> {
    const pid = this.#pid ?? (await recordedProcess(this.#record))?.pid;
    if (pid === undefined) return;
    while (kill(pid)) await this.#settings.clock.sleep(endPauseMs);
    this.#pid = undefined;
    await rm(this.#record, { force: true });
  }

  async #command(command: WithoutId<EgressCommand>): Promise<void> {
    const lines = this.#lines;
    // It is told everything once it is there.
    if (lines === undefined) return;
    const id = this.#nextId++;
    const reply = await new Promise<EgressReply>((resolve) => {
      this.#waiting.set(id, resolve);
      lines.send({ ...command, id });
    });
    if (reply.problem !== undefined && command.type === "open") {
      this.#settings.log.warn("a pod has no way out", { socket: command.socket, error: reply.problem });
    }
  }
}

// `Omit` alone would merge the members of the union.
type WithoutId<Command> = Command extends EgressCommand ? Omit<Command, "id"> : never;

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}
