import { type ChildProcess, spawn } from "node:child_process";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { collectBytes, type DigestAlgorithm, ImageFault } from "@shallop/sdk/image";
import { assert, type Clock } from "@shallop/sdk/internal";
import type { PrivilegePolicy, RewriteSummary } from "./layer-rewriter.ts";
import type { PickResult } from "./pick-file.ts";
import type { LayerErrorCode } from "./tar-format.ts";

/** What the jail is to do; given as JSON in its arguments. */
export type JailOrder = JailLimits &
  (
    | {
        readonly kind: "unpack";
        readonly entriesMax: number;
        /** Directories of the layers below, the topmost first; absent when they are not known. */
        readonly lowers?: readonly string[];
        readonly opaqueXattr: string;
        readonly privileges: PrivilegePolicy;
      }
    | { readonly kind: "pick"; readonly path: string; readonly fileBytesMax: number }
  );

export interface JailLimits {
  /** Of the digest that is to be computed. */
  readonly algorithm: DigestAlgorithm;
  readonly archiveBytesMax: number;
}

/** What the jail says on descriptor 3 when it is done. */
export type JailOutcome =
  | ({ readonly kind: "unpacked"; readonly diffHex: string } & RewriteSummary)
  | { readonly kind: "picked"; readonly diffHex: string; readonly found: PickResult }
  | { readonly kind: "failed"; readonly code: LayerErrorCode; readonly message: string };

export type JailSuccess<Kind extends JailOrder["kind"]> = Extract<
  JailOutcome,
  { readonly kind: Kind extends "pick" ? "picked" : "unpacked" }
>;

/** Thrown when the layer depends on those below, and they were not given. */
export class NeedsLowers extends Error {}

/** 16 GiB at the 30 MB/s of a slow disk are nine minutes. */
const jailTimeMsMax = 15 * 60_000;
/** Half a million entries of the tree's model need some 200 MB; a megabyte of headers nothing beside it. */
const jailHeapMegabytes = 512;
/** An outcome is one line; what a tool complains about is shown to its first lines. */
const messageBytesMax = 64 * 1024;

const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const jailFile = join(import.meta.dirname, "unpack-main.ts");

/**
 * Runs jails. As root each one also has its own mount, network and IPC namespaces, a root file system that cannot be
 * written, and none of root's capabilities but that of reading files; where namespaces are not to be had (inside most
 * containers) Node's permission model and the separate process remain.
 */
export class UnpackJail {
  readonly #clock: Clock;
  readonly #isRoot: boolean;
  readonly #keepsOwners: boolean;
  #namespaces: Promise<boolean> | undefined;

  /** Root can make jails; root of a user namespace not always every owner that a file of an image may have. */
  constructor(clock: Clock, isRoot: boolean, keepsOwners = isRoot) {
    this.#clock = clock;
    this.#keepsOwners = keepsOwners;
    this.#isRoot = isRoot;
  }

  /**
   * Reads the layer in the file `layerPath` and unpacks it into `directory`, which is empty.
   *
   * @throws ImageFault LAYER_INVALID | TOO_LARGE | STORE_FAILED | UNSUPPORTED; NeedsLowers
   */
  async unpack(
    order: Extract<JailOrder, { readonly kind: "unpack" }>,
    files: { readonly layerPath: string; readonly directory: string },
    signal: AbortSignal,
  ): Promise<JailSuccess<"unpack">> {
    const outcome = await this.#run(order, files.layerPath, signal, async (stop) => {
      const tar = await this.#spawnTar(files.directory, stop);
      const { stdin } = tar.child;
      if (!(stdin instanceof Socket) || stdin.destroyed) throw withoutTar();
      return { output: stdin, consume: () => endOfTar(tar) };
    });
    assert(outcome.kind === "unpacked", "an order to unpack has the outcome unpacked");
    return outcome;
  }

  /** Gives `consume` the wanted file's bytes. @throws ImageFault as `unpack`, and what `consume` throws */
  async pick(
    order: Extract<JailOrder, { readonly kind: "pick" }>,
    layerPath: string,
    signal: AbortSignal,
    consume: (stream: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<JailSuccess<"pick">> {
    const consumer: Consumer = {
      output: "pipe",
      consume: async ({ stdout }) => {
        assert(stdout !== null, "the jail has an output");
        await consume(stdout);
      },
    };
    const outcome = await this.#run(order, layerPath, signal, async () => consumer);
    assert(outcome.kind === "picked", "an order to pick has the outcome picked");
    return outcome;
  }

  async #run(
    order: JailOrder,
    layerPath: string,
    signal: AbortSignal,
    consumer: (stop: AbortSignal) => Promise<Consumer>,
  ): Promise<Exclude<JailOutcome, { readonly kind: "failed" }>> {
    const late = new AbortController();
    const timer = this.#clock.after(jailTimeMsMax, () =>
      late.abort(new Error(`it took over ${jailTimeMsMax / 60_000} minutes`)),
    );
    const stop = AbortSignal.any([signal, late.signal]);
    let child: ChildProcess | undefined;
    try {
      const { output, consume } = await consumer(stop);
      // The jail has it then: when it ends, so does what its consumer reads.
      const leave = (): unknown => output !== "pipe" && output.destroy();
      const jail = await this.#spawnJail(order, { layerPath, output }, stop).finally(leave);
      ({ child } = jail);
      const reports = child.stdio[3];
      assert(reports !== null && reports !== undefined, "the jail has a report");
      const [consumed, reported, said] = await Promise.allSettled([
        consume(child),
        collectBytes(reports as Readable, messageBytesMax, "the jail's report"),
        collectText(child.stderr),
        jail.exited,
      ]);
      signal.throwIfAborted();
      const text = reported.status === "fulfilled" ? new TextDecoder().decode(reported.value) : "";
      const outcome = parseOutcome(text);
      if (outcome?.kind === "failed") throw failureOf(outcome);
      if (late.signal.aborted) throw new ImageFault("TOO_LARGE", "unpacking the layer took too long");
      if (consumed.status === "rejected") throw consumed.reason;
      if (outcome !== undefined) return outcome;
      const complaint = said.status === "fulfilled" ? said.value.slice(0, 300) : "";
      throw new ImageFault("LAYER_INVALID", `the process that unpacks the layer died: ${complaint}`);
    } finally {
      timer.cancel();
      child?.kill("SIGKILL");
    }
  }

  #spawnJail(
    order: JailOrder,
    { layerPath, output }: { readonly layerPath: string; readonly output: Consumer["output"] },
    signal: AbortSignal,
  ): Promise<JailJob> {
    const readable = order.kind === "unpack" ? (order.lowers ?? []) : [];
    return this.start({ program: jailFile, order, readable, output }, layerPath, signal);
  }

  /**
   * Starts a program of the runtime in a jail, with a hostile file on its input and the order as JSON in its arguments.
   * What it wants to say goes to its output and to descriptor 3.
   */
  async start(jail: JailProgram, inputPath: string, signal: AbortSignal): Promise<JailJob> {
    const node = [
      process.execPath,
      "--permission",
      // The folder, and the package.json that says that its files are modules.
      `--allow-fs-read=${dirname(import.meta.dirname)}`,
      ...jail.readable.map((directory) => `--allow-fs-read=${directory}`),
      `--max-old-space-size=${jailHeapMegabytes}`,
      "--no-warnings",
      jail.program,
      JSON.stringify(jail.order),
    ];
    // dac_read_search: a lower layer has files of other users, and a hard link may want one of them.
    const unprivileged = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all,+dac_read_search"];
    const argv = (await this.#canIsolate())
      ? [...isolated('mount -o remount,bind,ro / && exec "$@"'), ...unprivileged, ...node]
      : node;
    await using input = await open(inputPath, "r");
    return start(argv, { stdin: input, stdout: jail.output ?? "pipe", signal });
  }

  async #spawnTar(directory: string, signal: AbortSignal): Promise<JailJob> {
    const tar = ["tar", ...tarArguments(directory, this.#keepsOwners)];
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"';
    const argv = (await this.#canIsolate()) ? [...isolated(script, directory), ...tar] : tar;
    return start(argv, { stdin: "pipe", signal });
  }

  #canIsolate(): Promise<boolean> {
    this.#namespaces ??= this.#isRoot
      ? succeeds(isolated("mount -o remount,bind,ro / && setpriv --version"))
      : Promise.resolve(false);
    return this.#namespaces;
  }
}

/** Of the `tar` that unpacks what the jail gives it. It trusts that archive; the jail does not trust the layer. */
export const tarArguments = (directory: string, keepsOwners: boolean): readonly string[] => [
  "--extract",
  "--file=-",
  "--numeric-owner",
  keepsOwners ? "--same-owner" : "--no-same-owner",
  "--same-permissions",
  "--delay-directory-restore",
  "--xattrs",
  "--xattrs-include=*",
  "--warning=no-timestamp",
  // It reads a megabyte at a time, and not ten kilobytes.
  "--blocking-factor=2048",
  `--directory=${directory}`,
];

/** A program of the runtime that reads a hostile file. */
export interface JailProgram {
  /** In the runtime's folder, which is all that it may read beside `readable`. */
  readonly program: string;
  readonly order: unknown;
  readonly readable: readonly string[];
  /** Where its output goes; to us unless said. */
  readonly output?: Consumer["output"];
}

/** Who gets what a jail writes. */
interface Consumer {
  /** "pipe": we do. Otherwise the input of another process, whose bytes do not come by here. */
  readonly output: Socket | "pipe";
  readonly consume: (jail: ChildProcess) => Promise<void>;
}

interface JailJob {
  readonly child: ChildProcess;
  /** Its exit code; undefined when it could not be started or was killed. */
  readonly exited: Promise<number | undefined>;
}

const isolated = (script: string, name = "sh"): readonly string[] => [
  "unshare",
  "--mount",
  "--net",
  "--ipc",
  "--propagation=private",
  "sh",
  "-c",
  script,
  name,
];

function start(
  argv: readonly string[],
  options: {
    readonly stdin: FileHandle | "pipe";
    readonly stdout?: Consumer["output"];
    readonly signal: AbortSignal;
  },
): JailJob {
  const [program, ...args] = argv;
  assert(program !== undefined, "a command has a name");
  const child = spawn(program, args, {
    stdio: [options.stdin === "pipe" ? "pipe" : options.stdin.fd, options.stdout ?? "pipe", "pipe", "pipe"],
    env: { PATH: toolPath, LC_ALL: "C" },
    cwd: "/",
    signal: options.signal,
    killSignal: "SIGKILL",
  });
  // Listened to from the start: a program that is not there says so before anybody else would ask.
  const exited = new Promise<number | undefined>((resolve) => {
    child.on("error", () => resolve(undefined));
    child.once("close", (code) => resolve(code ?? undefined));
  });
  return { child, exited };
}

async function endOfTar({ child: tar, exited }: JailJob): Promise<void> {
  const said = collectText(tar.stderr);
  tar.stdout?.resume();
  const code = await exited;
  if (code === 0) return;
  const complaint = (await said).trim().slice(0, 300);
  if (/No space left/.test(complaint)) {
    throw new ImageFault("STORE_FAILED", `unpacking the layer failed: the disk is full; remove images (${complaint})`);
  }
  if (code === undefined) throw withoutTar();
  throw new ImageFault("LAYER_INVALID", `tar could not unpack the layer (exit ${code}): ${complaint}`);
}

const withoutTar = (): ImageFault =>
  new ImageFault("UNSUPPORTED", "unpacking layers needs GNU tar; install it (apt-get install tar)");

async function collectText(stream: Readable | null): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) if (text.length < messageBytesMax) text += String(chunk);
  return text;
}

async function succeeds(argv: readonly string[]): Promise<boolean> {
  const { child, exited } = start(argv, { stdin: "pipe", signal: AbortSignal.timeout(10_000) });
  child.stdin?.end();
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  return (await exited) === 0;
}

function parseOutcome(text: string): JailOutcome | undefined {
  const line = text.split("\n")[0] ?? "";
  try {
    // Written by our own program; a jail that was taken over could say what it wants anyhow, and digests are checked.
    return JSON.parse(line) as JailOutcome;
  } catch {
    return undefined;
  }
}

function failureOf(failed: Extract<JailOutcome, { readonly kind: "failed" }>): Error {
  const message = failed.message.slice(0, 500);
  return failed.code === "NEEDS_LOWERS" ? new NeedsLowers(message) : new ImageFault(failed.code, message);
}
