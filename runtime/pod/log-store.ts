import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { describeError } from "@shallop/sdk/internal";
import type { LogGroup } from "./log-reader.ts";
import { logBytes, type LogSettings, type LogSubject, PodLog } from "./pod-log.ts";
import type { PodLogLine } from "./pod-runtime.ts";

/** What is kept of pods that have ended, so that a service at zero still shows what it said. */
export interface RetentionBounds {
  /** Logs of one service: what a person scrolls through; older ones belong to a log system. */
  readonly endedPerServiceMax: number;
  /** Logs in all: a listing of the directory stays quick. */
  readonly endedMax: number;
  /** Bytes in all: a small part of the smallest disk that a node would have. */
  readonly endedBytesMax: number;
}

const retentionBounds: RetentionBounds = {
  endedPerServiceMax: 20,
  endedMax: 500,
  endedBytesMax: 512 * 1024 * 1024,
};

/** Hears each line of a log that is there. */
export type LogListener = (subject: LogSubject, line: PodLogLine) => void;

/** The logs of every pod that this node has, and of those it had lately. */
export class LogStore {
  readonly #directory: string;
  readonly #settings: LogSettings;
  readonly #retention: RetentionBounds;
  /** By uid and container. */
  readonly #logsByKey = new Map<string, PodLog>();
  /** The container that is meant when none is named: the one whose log was opened first. */
  readonly #firstByUid = new Map<string, string>();
  readonly #listeners = new Set<(log: PodLog) => void>();
  #exported: LogListener | undefined;

  constructor(directory: string, settings: LogSettings & { readonly retention?: RetentionBounds }) {
    this.#directory = directory;
    this.#settings = settings;
    this.#retention = settings.retention ?? retentionBounds;
  }

  /** Finds what an earlier process left. A log goes on when its pod is opened again; else it is one of an ended pod. */
  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) {
      const directory = path.join(this.#directory, name);
      const subject = await readSubject(directory);
      if (subject === undefined) {
        this.#settings.log.warn("a log directory without a readable subject is removed", { directory });
        await rm(directory, { recursive: true, force: true });
        continue;
      }
      this.#add(new PodLog(directory, subject, { ...this.#settings, existing: true }));
    }
  }

  /** The log of a container of a pod, made if there is none. Costs no file before the first line. */
  open(subject: LogSubject): PodLog {
    this.#firstByUid.set(subject.uid, this.#firstByUid.get(subject.uid) ?? subject.container);
    const known = this.#logsByKey.get(keyOf(subject.uid, subject.container));
    if (known !== undefined && !known.ended) return known;
    const directory = path.join(this.#directory, directoryName(subject));
    const before = known === undefined ? this.#takeContinued(subject) : undefined;
    const log = new PodLog(directory, subject, {
      ...this.#settings,
      existing: known !== undefined,
      ...(before === undefined ? {} : { before }),
    });
    this.#add(log);
    for (const listener of this.#listeners) listener(log);
    return log;
  }

  /** The log that goes on in the subject's; it is none of this store's any more. */
  #takeContinued({ namespace, container, continued }: LogSubject): PodLog | undefined {
    if (continued === undefined) return undefined;
    const [before] = this.#newestFirst(
      ({ subject }) =>
        subject.namespace === namespace && subject.container === container && subject.continued === continued,
    );
    if (before !== undefined) this.#logsByKey.delete(keyOf(before.subject.uid, before.subject.container));
    return before;
  }

  append(uid: string, line: PodLogLine): void {
    const container = line.container ?? this.#firstByUid.get(uid) ?? "";
    const log = this.#logsByKey.get(keyOf(uid, container));
    if (log === undefined) return;
    log.append(line);
    this.#exported?.(log.subject, line);
  }

  /** Each line from now on goes there too; one that is too much for the file as well, for bounds are the listener's. */
  exportTo(listener: LogListener): void {
    this.#exported = listener;
  }

  /** The pod's uid is over. Its logs stay as long as the bounds allow; one without a line is forgotten at once. */
  async end(uid: string): Promise<void> {
    this.#firstByUid.delete(uid);
    for (const [key, log] of this.#logsByKey) {
      if (log.subject.uid !== uid || log.ended) continue;
      await log.end();
      if (!log.written) this.#logsByKey.delete(key);
    }
  }

  /** Ends each log whose pod is not among `uids`; after a start, when it is known what still runs. */
  async endOthers(uids: ReadonlySet<string>): Promise<void> {
    const known = new Set([...this.#logsByKey.values()].map(({ subject }) => subject.uid));
    for (const uid of known) if (!uids.has(uid)) await this.end(uid);
  }

  /** The log of a pod by name, the newest if the name was used again; of any container unless one is named. */
  find(namespace: string, pod: string, container?: string): PodLog | undefined {
    return this.#newestFirst(
      ({ subject }) =>
        subject.namespace === namespace &&
        subject.pod === pod &&
        (container === undefined || subject.container === container),
    )[0];
  }

  /** The logs of a service's pods, the oldest first, and those to come. */
  ofService(namespace: string, service: string): LogGroup {
    const matches = ({ subject }: PodLog): boolean => subject.namespace === namespace && subject.service === service;
    return {
      logs: this.#newestFirst(matches).reverse(),
      onOpened: (opened, signal) => {
        const listener = (log: PodLog): void => {
          if (matches(log)) opened(log);
        };
        this.#listeners.add(listener);
        signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
      },
    };
  }

  /** Removes logs of ended pods that are over the bounds, the oldest first. */
  async sweep(): Promise<void> {
    const kept = new Map<string, number>();
    let count = 0;
    let bytes = 0;
    for (const log of this.#newestFirst(({ ended }) => ended)) {
      const owner = `${log.subject.namespace}/${log.subject.service ?? log.subject.pod}`;
      const ofOwner = (kept.get(owner) ?? 0) + 1;
      const total = bytes + (await logBytes(log));
      const { endedPerServiceMax, endedMax, endedBytesMax } = this.#retention;
      if (ofOwner <= endedPerServiceMax && count < endedMax && total <= endedBytesMax) {
        kept.set(owner, ofOwner);
        count++;
        bytes = total;
        continue;
      }
      this.#logsByKey.delete(keyOf(log.subject.uid, log.subject.container));
      await rm(log.directory, { recursive: true, force: true }).catch((error: unknown) =>
        this.#settings.log.warn("a log could not be removed", {
          directory: log.directory,
          error: describeError(error),
        }),
      );
    }
  }

  async close(): Promise<void> {
    for (const log of this.#logsByKey.values()) await log.end();
  }

  #add(log: PodLog): void {
    this.#logsByKey.set(keyOf(log.subject.uid, log.subject.container), log);
  }

  #newestFirst(wanted: (log: PodLog) => boolean): PodLog[] {
    return [...this.#logsByKey.values()].filter(wanted).sort((a, b) => b.subject.openedWallMs - a.subject.openedWallMs);
  }
}

const keyOf = (uid: string, container: string): string => `${uid}/${container}`;

/** Names hold no underscore. */
const directoryName = ({ namespace, pod, uid, container }: LogSubject): string =>
  [namespace, pod, uid, container].join("_");

// A subject is a few names of at most 253 bytes.
const subjectBytesMax = 8192;

async function readSubject(directory: string): Promise<LogSubject | undefined> {
  const file = path.join(directory, "subject.json");
  try {
    if ((await stat(file)).size > subjectBytesMax) return undefined;
    const parsed: unknown = JSON.parse(await readFile(file, "utf8"));
    return isSubject(parsed) && path.basename(directory) === directoryName(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isSubject(value: unknown): value is LogSubject {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const text = (name: string): boolean => typeof fields.get(name) === "string";
  const optional = (name: string): boolean => !fields.has(name) || text(name);
  return (
    ["namespace", "pod", "uid", "container"].every(text) &&
    ["service", "revision", "continued"].every(optional) &&
    typeof fields.get("openedWallMs") === "number"
  );
}

/** What is kept of a continued log while no pod has it, for who reads on the node's machine. Nothing is written to it. */
export async function keptLog(
  logsDirectory: string,
  { namespace, container, continued }: Pick<LogSubject, "namespace" | "container" | "continued">,
  settings: LogSettings,
): Promise<PodLog | undefined> {
  const names = await readdir(logsDirectory).catch(() => []);
  for (const name of names.filter((one) => one.startsWith(`${namespace}_`) && one.endsWith(`_${container}`))) {
    const directory = path.join(logsDirectory, name);
    const subject = await readSubject(directory);
    if (subject !== undefined && subject.continued === continued)
      return new PodLog(directory, subject, { ...settings, existing: true });
  }
  return undefined;
}
