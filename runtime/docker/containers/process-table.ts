import { readFile } from "node:fs/promises";
import { DockerFault } from "../http/docker-fault.ts";

/** One process of this machine, out of proc_pid_stat(5) and proc_pid_cmdline(5). */
export interface ProcessFacts {
  readonly pid: number;
  readonly ppid: number;
  /** Of this machine: containers have user namespaces. */
  readonly uid: number;
  readonly state: string;
  readonly comm: string;
  /** Empty of a zombie. */
  readonly commandLine: string;
  readonly terminal: number;
  readonly cpuSeconds: number;
  readonly startedMs: number;
  readonly virtualBytes: number;
  readonly residentBytes: number;
}

/** Of the machine, for what is told in relation to it. */
export interface MachineFacts {
  readonly nowMs: number;
  readonly bootMs: number;
  readonly memoryBytes: number;
  /** The user of this machine that is a container's root; others follow. */
  readonly firstUid: number;
}

// USER_HZ, which is 100 on every architecture that Node runs on; pages as the kernel's default is there.
const ticksPerSecond = 100;
const pageBytes = 4096;
/** A command line may have megabytes; nobody reads them in a table. */
const commandLengthMax = 4096;

type Column = readonly [title: string, value: (process: ProcessFacts, machine: MachineFacts) => string];

const commandOf = ({ commandLine, comm }: ProcessFacts): string => (commandLine === "" ? `[${comm}]` : commandLine);
const livedSeconds = ({ startedMs }: ProcessFacts, { nowMs }: MachineFacts): number =>
  Math.max(1, (nowMs - startedMs) / 1000);
const cpuPercent = (process: ProcessFacts, machine: MachineFacts): number =>
  (100 * process.cpuSeconds) / livedSeconds(process, machine);

/** What ps(1) calls its columns. */
const columns: Readonly<Record<string, Column>> = {
  uid: ["UID", userOf],
  user: ["USER", userOf],
  pid: ["PID", ({ pid }) => String(pid)],
  ppid: ["PPID", ({ ppid }) => String(ppid)],
  c: ["C", (process, machine) => String(Math.floor(cpuPercent(process, machine)))],
  pcpu: ["%CPU", (process, machine) => cpuPercent(process, machine).toFixed(1)],
  pmem: ["%MEM", ({ residentBytes }, { memoryBytes }) => ((100 * residentBytes) / memoryBytes).toFixed(1)],
  vsz: ["VSZ", ({ virtualBytes }) => String(Math.floor(virtualBytes / 1024))],
  rss: ["RSS", ({ residentBytes }) => String(Math.floor(residentBytes / 1024))],
  stat: ["STAT", ({ state }) => state],
  stime: ["STIME", startText],
  start: ["START", startText],
  etime: ["ELAPSED", (process, machine) => clockText(livedSeconds(process, machine))],
  tty: ["TTY", ({ terminal }) => terminalText(terminal)],
  time: ["TIME", ({ cpuSeconds }) => clockText(cpuSeconds)],
  comm: ["COMMAND", ({ comm }) => comm],
  cmd: ["CMD", commandOf],
  args: ["COMMAND", commandOf],
};
const otherNames: Readonly<Record<string, string>> = {
  ...{ command: "args", state: "stat", s: "stat", tt: "tty", tname: "tty", rsz: "rss", vsize: "vsz", ucmd: "comm" },
  ...{ "%cpu": "pcpu", "%mem": "pmem", start_time: "stime", euid: "uid", euser: "user", cputime: "time" },
};
const fullFormat = ["uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"];
const userFormat = ["user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "start", "time", "args"];

/**
 * Names of the columns that arguments of ps(1) ask for: `-ef` (which is what none mean), `aux`, `-o pid,cmd`. Which processes
 * is not theirs to say. @throws DockerFault BAD_REQUEST
 */
export function columnsOf(psArguments: string): readonly string[] {
  const words = psArguments.split(/\s+/).filter((word) => word !== "");
  let names: readonly string[] = fullFormat;
  while (words.length > 0) {
    const word = words.shift() ?? "";
    const [, flags, list] = /^-?([efAaxuw]*)(?:(?<=^-?[efAaxuw]*)o(.*))?$/.exec(word) ?? [];
    if (flags === undefined) throw unknown(word);
    if (list !== undefined) return (list === "" ? (words.shift() ?? "") : list).split(",").map(columnNamed);
    if (flags.includes("u")) names = userFormat;
  }
  return names;
}

function columnNamed(text: string): string {
  const name = text.toLowerCase();
  const column = Object.hasOwn(otherNames, name) ? otherNames[name] : name;
  if (column === undefined || !Object.hasOwn(columns, column)) throw unknown(text);
  return column;
}

const unknown = (word: string): DockerFault =>
  new DockerFault(
    "BAD_REQUEST",
    `ps ${JSON.stringify(word.slice(0, 40))}: there are -ef, aux, and -o with ${Object.keys(columns).join(",")}`,
  );

/** The answer of `docker top`. Pure. */
export function processTable(
  names: readonly string[],
  processes: readonly ProcessFacts[],
  machine: MachineFacts,
): { readonly Titles: readonly string[]; readonly Processes: readonly (readonly string[])[] } {
  const shown = names.flatMap((name) => columns[name] ?? []) as readonly (string | Column[1])[];
  const values = shown.filter((one) => typeof one === "function");
  return {
    Titles: shown.filter((one) => typeof one === "string"),
    Processes: processes.map((process) => values.map((value) => value(process, machine))),
  };
}

/** As the container has it. Other names only its image knows. */
function userOf({ uid }: ProcessFacts, { firstUid }: MachineFacts): string {
  return uid === firstUid ? "root" : String(uid < firstUid ? uid : uid - firstUid);
}

/** Hours and minutes; of one that has run for a day the date. */
function startText({ startedMs }: ProcessFacts, { nowMs }: MachineFacts): string {
  const text = new Date(startedMs).toString();
  return nowMs - startedMs < 24 * 3_600_000 ? text.slice(16, 21) : text.slice(4, 10).replace(" ", "");
}

/** Worked: 3725 s are `01:02:05`. */
function clockText(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(two).join(":");
}

/** The kernel's device number, proc_pid_stat(5): 136 and on are pseudo-terminals. */
function terminalText(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return device === 0 ? "?" : major >= 136 && major < 144 ? `pts/${String(minor)}` : `tty${String(minor)}`;
}

/** The facts of a process; undefined when it is gone. */
export async function readProcess(pid: number, { bootMs }: MachineFacts): Promise<ProcessFacts | undefined> {
  const read = (file: string): Promise<string> => readFile(`/proc/${String(pid)}/${file}`, "utf8").catch(() => "");
  const [stat, status, commandLine] = await Promise.all([read("stat"), read("status"), read("cmdline")]);
  return parseProcess({ pid, stat, status, commandLine }, bootMs);
}

/** Pure. */
export function parseProcess(
  texts: { readonly pid: number; readonly stat: string; readonly status: string; readonly commandLine: string },
  bootMs: number,
): ProcessFacts | undefined {
  const { pid, stat, status, commandLine } = texts;
  // A program may be called `a) R 1`: the last bracket ends its name.
  const end = stat.lastIndexOf(")");
  if (end < 0) return undefined;
  const fields = stat.slice(end + 2).split(" ");
  // Numbered as in the manual page, from 3.
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  return {
    ...{ pid, ppid: field(4), terminal: field(7), state: fields[0] ?? "?" },
    uid: Number(/^Uid:\s*\d+\s+(\d+)/m.exec(status)?.[1] ?? 0),
    comm: stat.slice(stat.indexOf("(") + 1, end),
    commandLine: commandLine.slice(0, commandLengthMax).replaceAll("\0", " ").trim(),
    cpuSeconds: (field(14) + field(15)) / ticksPerSecond,
    startedMs: bootMs + (field(22) * 1000) / ticksPerSecond,
    virtualBytes: field(23),
    residentBytes: field(24) * pageBytes,
  };
}
