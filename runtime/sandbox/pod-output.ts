import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { PassThrough, type Readable } from "node:stream";
import { type Clock, LineSplitter, type Timer } from "@shallop/sdk/internal";
import type { ContainerStreams } from "../pod/containers/container-launch.ts";
import type { PodLogLine } from "../pod/pod-runtime.ts";
import type { PodFiles } from "./pod-files.ts";

// Containerd and Docker cut at this length too.
const lineBytesMax = 16 * 1024;
// What is kept to explain an end: as much as a person reads in an event.
const tailLinesMax = 10;
const tailCharactersMax = 1500;
// A flood is read at this pace and no faster: the guest then waits for its own output, and the node goes on working.
const windowMs = 100;
const windowBytesMax = 512 * 1024;
// After the end of a pod its output ends at once; a process that was handed the FIFO and lives on must not hold us.
const drainMs = 500;

// What somebody who reads slowly may be behind; who is further back is let go, and the pod goes on.
const tapBytesMax = 4 << 20;

// A banner and a prompt are a kilobyte; a pipe holds this much too.
const unheardBytesMax = 64 << 10;

/** A pod's output, byte for byte, from when somebody joined. */
export interface OutputTap {
  readonly stdout: Readable;
  readonly stderr: Readable;
  close(): void;
}

export interface OutputUse {
  readonly logged: (line: PodLogLine) => void;
  /** Who joins first hears what was said before: the prompt of a shell, which is there before he is. */
  readonly keepsFirst?: boolean;
  /** It waits for him, and he gets all of it: what he does not read the program cannot say. */
  readonly holds?: boolean;
}

/** What there is for the first who joins. */
export const firstOf = (streams: ContainerStreams | undefined): Pick<OutputUse, "keepsFirst" | "holds"> => ({
  keepsFirst: streams?.stdin === true,
  holds: streams?.holdsOutput === true,
});

// Who starts a container and wants to see its output joins within the second.
const holdMsMax = 10_000;
// After the end of a program whose output is somebody's to the last byte: a terminal that was stopped must not hold it for ever.
const readMsMax = 60_000;

/** Why a stream is not read at the moment. */
type Stop = "pace" | "held" | "behind";

interface Said {
  readonly stream: PodLogLine["stream"];
  readonly chunk: Uint8Array;
}

/** Reads what a pod writes, line by line. The pod's ends of the FIFOs stay open without us, so nothing is lost or blocks
 * over a restart of the agent unless it writes more than the pipe holds (64 KiB) meanwhile; then it waits. */
export class PodOutput implements AsyncDisposable {
  readonly #streams: readonly Readable[];
  readonly #timers = new Set<Timer>();
  readonly #ended: Promise<unknown>;
  readonly #clock: Clock;
  readonly #tail: string[];
  /** What nobody has joined for yet; undefined once somebody has, or it was too much. */
  #unheard: Said[] | undefined;
  #unheardBytes = 0;
  readonly #taps = new Set<Tap>();
  /** Of each stream, why it is not read now. */
  readonly #stops = new Map<Readable, Set<Stop>>();
  /** Resolves when somebody has joined, or is waited for no more. */
  #joined: PromiseWithResolvers<void> | undefined;

  private constructor(clock: Clock, streams: readonly Readable[], tail: string[]) {
    this.#clock = clock;
    this.#streams = streams;
    this.#tail = tail;
    this.#ended = Promise.all(
      streams.map((stream) => new Promise<void>((resolve) => stream.once("close", () => resolve()))),
    );
  }

  /** Opens both FIFOs. There must be a writer already, or the end is seen before the beginning. */
  static open(files: PodFiles, clock: Clock, use: OutputUse): PodOutput {
    const stdout = openFifo(files.stdout);
    try {
      return PodOutput.of({ stdout, stderr: openFifo(files.stderr) }, clock, use);
    } catch (error) {
      stdout.destroy();
      throw error;
    }
  }

  /** Of a program that we have started ourselves. */
  static of(
    { stdout, stderr }: Readonly<Record<PodLogLine["stream"], Readable>>,
    clock: Clock,
    { logged, keepsFirst = false, holds = false }: OutputUse,
  ): PodOutput {
    const output = new PodOutput(clock, [stdout, stderr], []);
    if (keepsFirst || holds) output.#unheard = [];
    if (holds) output.#hold();
    output.#read(stdout, "stdout", logged);
    output.#read(stderr, "stderr", logged);
    return output;
  }

  /** The last lines of both streams, bounded; empty when there was none. */
  lastLines(): string {
    return this.#tail.join("\n").slice(-tailCharactersMax);
  }

  tap(): OutputTap {
    const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
    // The one who was waited for.
    const getsAll = this.#joined !== undefined && this.#unheard !== undefined;
    const tap: Tap = { streams, getsAll };
    this.#taps.add(tap);
    for (const { stream, chunk } of this.#unheard ?? []) streams[stream].write(chunk);
    this.#release();
    const close = (): void => {
      this.#taps.delete(tap);
      for (const stream of Object.values(streams)) stream.destroy();
      for (const source of this.#streams) this.#go(source, "behind");
    };
    void this.#ended.then(() => {
      for (const stream of Object.values(streams)) stream.end();
    });
    return { ...streams, close };
  }

  /** Resolves when all that was written has been read, at the latest a moment after the pod's end. */
  async drained(): Promise<void> {
    await this.#joined?.promise;
    const stop = new AbortController();
    const isRead = [...this.#taps].some(({ getsAll }) => getsAll);
    const deadline = this.#clock.sleep(isRead ? readMsMax : drainMs, stop.signal).catch(() => undefined);
    await Promise.race([this.#ended, deadline]);
    stop.abort();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.#joined?.resolve();
    for (const stream of this.#streams) stream.destroy();
    await this.#ended;
  }

  #read(source: Readable, stream: PodLogLine["stream"], logged: (line: PodLogLine) => void): void {
    const splitter = new LineSplitter(lineBytesMax, (text, partial) => {
      this.#tail.push(text);
      if (this.#tail.length > tailLinesMax) this.#tail.shift();
      logged({ wallMs: this.#clock.wallMs(), stream, text, partial });
    });
    let windowEndMs = 0;
    let windowBytes = 0;
    source.on("data", (chunk: Uint8Array) => {
      const nowMs = this.#clock.nowMs();
      if (nowMs >= windowEndMs) [windowEndMs, windowBytes] = [nowMs + windowMs, 0];
      this.#keep({ stream, chunk });
      for (const tap of this.#taps) this.#pass(source, tap, { stream, chunk });
      windowBytes += chunk.byteLength;
      if (windowBytes > windowBytesMax) this.#pause(source, windowEndMs - nowMs);
      splitter.push(chunk);
    });
    source.once("end", () => splitter.end());
    // Reading a FIFO does not fail; if it does, the output ends here, and the pod goes on.
    source.on("error", () => undefined);
  }

  #keep(said: Said): void {
    if (this.#unheard === undefined) return;
    this.#unheardBytes += said.chunk.byteLength;
    // Half of it would begin in the middle: who comes this late reads the log.
    if (this.#joined !== undefined) {
      this.#unheard.push(said);
      if (this.#unheardBytes > unheardBytesMax) for (const source of this.#streams) this.#stop(source, "held");
    } else if (this.#unheardBytes > unheardBytesMax) this.#unheard = undefined;
    else this.#unheard.push(said);
  }

  /** To whoever gets all of it no faster than he reads; others are let go when they are too far behind. */
  #pass(source: Readable, { streams, getsAll }: Tap, { stream, chunk }: Said): void {
    const to = streams[stream];
    if (to.destroyed) return;
    if (!getsAll && to.writableLength > tapBytesMax) {
      to.destroy();
      return;
    }
    if (to.write(chunk) || !getsAll) return;
    this.#stop(source, "behind");
    to.once("drain", () => this.#go(source, "behind"));
  }

  #hold(): void {
    this.#joined = Promise.withResolvers();
    const timer = this.#clock.after(holdMsMax, () => this.#release());
    this.#timers.add(timer);
    void this.#joined.promise.then(() => {
      timer.cancel();
      this.#timers.delete(timer);
    });
  }

  /** Somebody has joined, or nobody will. */
  #release(): void {
    this.#unheard = undefined;
    this.#joined?.resolve();
    for (const source of this.#streams) this.#go(source, "held");
  }

  #pause(source: Readable, delayMs: number): void {
    this.#stop(source, "pace");
    const timer = this.#clock.after(Math.max(1, delayMs), () => {
      this.#timers.delete(timer);
      this.#go(source, "pace");
    });
    this.#timers.add(timer);
  }

  #stop(source: Readable, why: Stop): void {
    const stops = this.#stops.get(source) ?? new Set();
    this.#stops.set(source, stops.add(why));
    source.pause();
  }

  #go(source: Readable, why: Stop): void {
    const stops = this.#stops.get(source);
    if (stops?.delete(why) === true && stops.size === 0) source.resume();
  }
}

interface Tap {
  readonly streams: Readonly<Record<PodLogLine["stream"], PassThrough>>;
  readonly getsAll: boolean;
}

function openFifo(path: string): Socket {
  // NONBLOCK: opening does not wait for a writer, and reading is done by the event loop, not by a thread each.
  // The socket closes the descriptor; a FileHandle would want to, too.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}
