import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { assert } from "@shallop/sdk/internal";
import { DockerFault } from "../http/docker-fault.ts";
import type { PathStat } from "./archive-stat.ts";

/** What is to be done in a directory that is a file system's root, and with whose ids. */
export interface LiveOrder {
  /** Of this machine. */
  readonly root: string;
  /** The id on this machine of who is root there. */
  readonly firstId: number;
  readonly act: "stat" | "read" | "write";
  /** As seen there; absolute. */
  readonly path: string;
  /** Of `write`: a directory does not take the place of a file, nor the other way round. */
  readonly keepsKinds: boolean;
}

/** The first line that the process says; of `read` an archive follows. */
export type LiveAnswer =
  | { readonly ok: true; readonly stat?: PathStat }
  | { readonly ok: false; readonly code: "NOT_FOUND" | "BAD_REQUEST" | "FAILED"; readonly message: string };

const program = fileURLToPath(new URL("live-root-main.ts", import.meta.url));
const answerBytesMax = 64 * 1024;

/**
 * Looks at, reads and writes files of a container that runs, in a process whose root directory is the container's: whatever
 * the container does with links meanwhile, the kernel follows them in there and nowhere else.
 */
export class LiveRoot {
  readonly #place: Pick<LiveOrder, "root" | "firstId">;
  readonly #signal: AbortSignal;

  constructor(place: Pick<LiveOrder, "root" | "firstId">, signal: AbortSignal) {
    this.#place = place;
    this.#signal = signal;
  }

  /** @throws DockerFault NOT_FOUND */
  async stat(path: string): Promise<PathStat> {
    const { stat } = await this.#run({ act: "stat", path, keepsKinds: false });
    assert(stat !== undefined, "a look says what is there");
    return stat;
  }

  /** What is at a path, as an archive. @throws DockerFault NOT_FOUND before anything was written */
  async read(path: string, output: (stat: PathStat) => Writable): Promise<void> {
    await this.#run({ act: "read", path, keepsKinds: false }, { output });
  }

  /** Unpacks an archive into a directory. @throws DockerFault NOT_FOUND, BAD_REQUEST */
  async write(path: string, input: Readable, keepsKinds: boolean): Promise<void> {
    await this.#run({ act: "write", path, keepsKinds }, { input });
  }

  async #run(
    order: Pick<LiveOrder, "act" | "path" | "keepsKinds">,
    streams: { readonly input?: Readable; readonly output?: (stat: PathStat) => Writable } = {},
  ): Promise<Extract<LiveAnswer, { ok: true }>> {
    const child = spawn(process.execPath, ["--no-warnings", program, JSON.stringify({ ...this.#place, ...order })], {
      ...{ stdio: [streams.input === undefined ? "ignore" : "pipe", "pipe", "pipe"], env: {}, cwd: "/" },
      ...{ signal: this.#signal, killSignal: "SIGKILL" },
    });
    const closed = once(child, "close");
    // Said by what it answers, or does not.
    closed.catch(() => undefined);
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, 1000)));
    const fed = streams.input === undefined || child.stdin === null ? undefined : pipeline(streams.input, child.stdin);
    fed?.catch(() => undefined);
    assert(child.stdout !== null, "it has been given pipes");
    const { line, rest } = await firstLine(child.stdout);
    const answer = line === "" ? undefined : (JSON.parse(line) as LiveAnswer);
    if (answer?.ok === true && streams.output !== undefined && answer.stat !== undefined) {
      await pipeline(rest, streams.output(answer.stat));
    } else child.stdout.resume();
    await closed;
    if (answer?.ok === true) return answer;
    if (answer === undefined) throw new DockerFault("FAILED", `the files could not be reached: ${said.trim()}`);
    throw new DockerFault(answer.code, answer.message);
  }
}

/** The first line of a stream, and what comes after it. */
async function firstLine(stream: Readable): Promise<{ readonly line: string; readonly rest: AsyncIterable<Buffer> }> {
  const pieces = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let read = Buffer.alloc(0);
  for (;;) {
    const end = read.indexOf(0x0a);
    if (end >= 0) {
      const first = read.subarray(end + 1);
      const rest = (async function* () {
        if (first.length > 0) yield first;
        for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
      })();
      return { line: read.toString("utf8", 0, end), rest };
    }
    const next = await pieces.next();
    if (next.done === true || read.length > answerBytesMax) return { line: "", rest: (async function* () {})() };
    read = Buffer.concat([read, next.value]);
  }
}
