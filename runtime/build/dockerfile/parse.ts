import { splitWords } from "./expand.ts";
import { lineFault, shown } from "./fault.ts";
import type { Command, CopyInstruction, Healthcheck, Instruction, InstructionBody, Pair } from "./instruction.ts";
import { heredocStart, type LogicalLine, readLines } from "./source-lines.ts";

export interface Dockerfile {
  /** What takes away the meaning of the next character: `\`, unless a directive says otherwise. */
  readonly escape: string;
  readonly instructions: readonly Instruction[];
}

/** Real ones have some kilobytes; with files in heredocs some hundred. */
export const dockerfileBytesMax = 1024 * 1024;
/** Each may be a step; an image has at most 127 layers. */
const instructionsMax = 2_000;

/** Reads a Dockerfile. Pure. @throws DockerfileFault DOCKERFILE_INVALID, with the line, at the first that cannot be */
export function parseDockerfile(text: string): Dockerfile {
  if (Buffer.byteLength(text) > dockerfileBytesMax)
    throw lineFault(1, `the file has more than ${dockerfileBytesMax} bytes`);
  if (text.includes("\0")) throw lineFault(text.slice(0, text.indexOf("\0")).split("\n").length, "there is a NUL byte");
  const { escape, lines } = readLines(text);
  if (lines.length > instructionsMax) throw lineFault(1, `the file has more than ${instructionsMax} instructions`);
  return { escape, instructions: lines.map((line) => parseInstruction(line, escape)) };
}

/** What an ONBUILD of a base image says. @throws DockerfileFault DOCKERFILE_INVALID */
export function parseTrigger(text: string, line: number): Instruction {
  const [logical] = readLines(text).lines;
  if (logical === undefined) throw lineFault(line, "an ONBUILD of the base image is empty");
  const instruction = parseInstruction({ ...logical, line }, "\\");
  checkTrigger(instruction);
  return instruction;
}

/** An instruction on its way from text to meaning. */
interface Raw {
  readonly line: number;
  readonly escape: string;
  readonly keyword: string;
  readonly flags: ReadonlyMap<string, string>;
  readonly rest: string;
  readonly heredocs: LogicalLine["heredocs"];
}

function parseInstruction(logical: LogicalLine, escape: string): Instruction {
  const [, word = "", after = ""] = /^(\S+)\s*([^]*)$/.exec(logical.text) ?? [];
  const keyword = word.toUpperCase();
  const parser = parsers[keyword];
  if (parser === undefined) throw lineFault(logical.line, `there is no instruction ${shown(word)}`);
  const { flags, rest } = readFlags(after, { line: logical.line, escape, known: parser.flags });
  const raw: Raw = { line: logical.line, escape, keyword, flags, rest, heredocs: logical.heredocs };
  if (rest === "" && keyword !== "RUN") throw lineFault(raw.line, `${keyword} says nothing`);
  return { ...parser.parse(raw), line: logical.line, text: `${keyword} ${after}`.replaceAll(/\s+/g, " ").trim() };
}

/** `--name=value` at the beginning. */
function readFlags(
  text: string,
  { line, escape, known }: { readonly line: number; readonly escape: string; readonly known: readonly string[] },
): { readonly flags: ReadonlyMap<string, string>; readonly rest: string } {
  const flags = new Map<string, string>();
  let rest = text.trim();
  while (rest.startsWith("--")) {
    const word = firstWord(rest, escape);
    rest = rest.slice(word.length).trimStart();
    if (word === "--") break;
    const [, name = "", equals, value = ""] = /^--([^=]*)(=?)([^]*)$/.exec(word) ?? [];
    if (!known.includes(name)) {
      const help = known.length === 0 ? "it takes none" : `it takes ${known.map((flag) => `--${flag}`).join(", ")}`;
      const reason = unbuiltFlags[name];
      if (reason !== undefined) throw lineFault(line, `--${name} ${reason}`, "BUILD_UNSUPPORTED");
      throw lineFault(line, `there is no flag --${name.slice(0, 50)}; ${help}`);
    }
    if (flags.has(name)) throw lineFault(line, `--${name} stands there twice`);
    flags.set(name, equals === "" ? "true" : unquoted(value));
  }
  return { flags, rest };
}

/** What only BuildKit has, and what to do instead. */
const unbuiltFlags: Readonly<Record<string, string>> = {
  mount: "is BuildKit's: write files with COPY, and give values with --build-arg",
  security: "is BuildKit's: every RUN is closed in the same way",
  network: "is BuildKit's: use `shallop build --network` for the whole file",
  parents: "is BuildKit's: name each directory in a COPY of its own",
  exclude: "is BuildKit's: use .dockerignore",
  "keep-git-dir": "is for git repositories, which are not fetched",
};

const unquoted = (text: string): string => /^(["'])([^]*)\1$/.exec(text)?.[2] ?? text;

/** Up to the first blank outside of quotes. */
function firstWord(text: string, escape: string): string {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === escape) at++;
    else if (quote === "" && /\s/.test(char)) return text.slice(0, at);
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = "";
  }
  return text;
}

interface Parser {
  readonly flags: readonly string[];
  parse(raw: Raw): InstructionBody;
}

const plain = (parse: Parser["parse"], flags: readonly string[] = []): Parser => ({ flags, parse });

const parsers: Readonly<Partial<Record<string, Parser>>> = Object.assign(Object.create(null) as object, {
  FROM: plain(parseFrom, ["platform"]),
  RUN: plain(parseRun),
  CMD: plain((raw) => ({ kind: "cmd", command: commandOf(raw.rest) })),
  ENTRYPOINT: plain((raw) => ({ kind: "entrypoint", command: commandOf(raw.rest) })),
  LABEL: plain((raw) => ({ kind: "label", pairs: pairsOf(raw) })),
  ENV: plain((raw) => ({ kind: "env", pairs: pairsOf(raw) })),
  EXPOSE: plain((raw) => ({ kind: "expose", ports: raw.rest })),
  COPY: plain((raw) => copyOf(raw, "copy"), ["from", "chown", "chmod", "link"]),
  ADD: plain((raw) => copyOf(raw, "add"), ["chown", "chmod", "checksum", "link"]),
  VOLUME: plain((raw) => ({ kind: "volume", paths: jsonStrings(raw.rest) ?? splitWords(raw.rest, raw.escape) })),
  USER: plain((raw) => ({ kind: "user", value: raw.rest })),
  WORKDIR: plain((raw) => ({ kind: "workdir", value: raw.rest })),
  STOPSIGNAL: plain((raw) => ({ kind: "stopsignal", value: raw.rest })),
  MAINTAINER: plain((raw) => ({ kind: "maintainer", value: raw.rest })),
  ARG: plain(parseArg),
  ONBUILD: plain(parseOnBuild),
  HEALTHCHECK: plain(parseHealthcheck, ["interval", "timeout", "start-period", "start-interval", "retries"]),
  SHELL: plain(parseShell),
});

function parseFrom({ rest, flags, line, escape }: Raw): InstructionBody {
  const [image = "", as, name, ...more] = splitWords(rest, escape);
  const isNamed = as !== undefined;
  if (more.length > 0 || (isNamed && (as.toUpperCase() !== "AS" || name === undefined)))
    throw lineFault(line, "FROM is written FROM IMAGE, or FROM IMAGE AS NAME");
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/i.test(name)) {
    throw lineFault(line, `${shown(name)} is no name of a stage: a letter, then letters, digits and - _ .`);
  }
  return {
    kind: "from",
    image,
    ...optional("platform", flags.get("platform")),
    ...optional("name", name?.toLowerCase()),
  };
}

/** `RUN <<EOF` runs the text in the shell; a heredoc beside a command is the shell's own. */
function parseRun({ rest, heredocs, line, escape }: Raw): InstructionBody {
  if (rest === "") throw lineFault(line, "RUN says nothing");
  const [only] = heredocs;
  if (only === undefined) return { kind: "run", command: commandOf(rest) };
  if (splitWords(rest, escape).length === 1 && heredocs.length === 1) {
    if (only.content.startsWith("#!"))
      throw lineFault(
        line,
        `a script with #! cannot be run from a heredoc: name its program, RUN PROGRAM <<${only.name}`,
      );
    return { kind: "run", command: { form: "shell", text: only.content } };
  }
  const texts = heredocs.map(({ name, content }) => `${content}${name}\n`);
  return { kind: "run", command: { form: "shell", text: `${rest}\n${texts.join("")}` } };
}

function commandOf(rest: string): Command {
  const args = jsonStrings(rest);
  return args === undefined ? { form: "shell", text: rest } : { form: "exec", args };
}

/** A JSON list of strings; everything else is no such list, and is read as words. */
function jsonStrings(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `NAME=value OTHER="a b"`, or the old `NAME the rest is the value`. */
function pairsOf({ rest, line, escape, keyword }: Raw): readonly Pair[] {
  const words = splitWords(rest, escape);
  if (!(words[0] ?? "").includes("=")) {
    const [, name = "", value] = /^(\S+)\s+([^]+)$/.exec(rest) ?? [];
    if (value === undefined) throw lineFault(line, `${keyword} is written ${keyword} NAME=VALUE`);
    return [[name, value]];
  }
  return words.map((word) => {
    const at = word.indexOf("=");
    if (at < 1) throw lineFault(line, `${shown(word)} is not NAME=VALUE`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function copyOf(raw: Raw, kind: "copy" | "add"): CopyInstruction {
  const { rest, flags, line, heredocs, escape } = raw;
  const words = jsonStrings(rest) ?? splitWords(rest, escape);
  const destination = words.at(-1);
  if (words.length < 2 || destination === undefined || destination === "")
    throw lineFault(line, `${raw.keyword} needs a source and a destination`);
  const from = flags.get("from");
  if (from !== undefined && heredocs.length > 0) throw lineFault(line, "--from and a heredoc exclude each other");
  return {
    kind,
    sources:
      heredocs.length === 0
        ? words.slice(0, -1)
        : words.slice(0, -1).filter((word) => heredocStart(word) === undefined),
    heredocs,
    destination,
    ...optional("from", from),
    ...optional("chown", flags.get("chown")),
    ...optional("chmod", flags.get("chmod")),
    ...optional("checksum", flags.get("checksum")),
  };
}

function parseArg({ rest, line, escape }: Raw): InstructionBody {
  const args = splitWords(rest, escape).map((word) => {
    const [, name = "", equals, value = ""] = /^([^=]*)(=?)([^]*)$/.exec(word) ?? [];
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw lineFault(line, `${shown(name)} is no name of an argument`);
    return equals === "" ? { name } : { name, value };
  });
  return { kind: "arg", args };
}

function parseOnBuild({ rest, line, escape, heredocs }: Raw): InstructionBody {
  if (heredocs.length > 0)
    throw lineFault(line, "ONBUILD takes no heredoc: an image's config has one line of it", "BUILD_UNSUPPORTED");
  checkTrigger(parseInstruction({ line, text: rest, heredocs: [] }, escape));
  return { kind: "onbuild", trigger: rest };
}

/** With these an image could make whoever builds upon it go round for ever, or build something else. */
function checkTrigger({ kind, line }: Instruction): void {
  if (kind === "onbuild" || kind === "from" || kind === "maintainer")
    throw lineFault(line, `ONBUILD cannot have ${kind.toUpperCase()}`);
}

function parseHealthcheck({ rest, flags, line, escape }: Raw): InstructionBody {
  const word = firstWord(rest, escape);
  const command = rest.slice(word.length).trim();
  const type = word.toUpperCase();
  if (type === "NONE") {
    if (command !== "" || flags.size > 0) throw lineFault(line, "HEALTHCHECK NONE stands alone");
    return { kind: "healthcheck" };
  }
  if (type !== "CMD") throw lineFault(line, "HEALTHCHECK is followed by CMD or NONE");
  if (command === "") throw lineFault(line, "HEALTHCHECK CMD has no command");
  const time = (flag: string): number | undefined => durationNs(flags.get(flag), { flag, line });
  const retriesText = flags.get("retries");
  if (retriesText !== undefined && !/^\d{1,6}$/.test(retriesText)) throw lineFault(line, "--retries is a whole number");
  const check: Healthcheck = {
    kind: "healthcheck",
    command: commandOf(command),
    ...optional("intervalNs", time("interval")),
    ...optional("timeoutNs", time("timeout")),
    ...optional("startPeriodNs", time("start-period")),
    ...optional("startIntervalNs", time("start-interval")),
    ...optional("retries", retriesText === undefined ? undefined : Number(retriesText)),
  };
  return check;
}

const unitNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** `1m30s`, as Go writes durations. */
function durationNs(
  text: string | undefined,
  { flag, line }: { readonly flag: string; readonly line: number },
): number | undefined {
  if (text === undefined) return undefined;
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)/g)];
  const isWhole = parts.map(([part]) => part).join("") === text && parts.length > 0;
  const sum = parts.reduce((all, [, count = "0", unit = ""]) => all + Number(count) * (unitNs[unit] ?? 0), 0);
  if ((!isWhole && text !== "0") || !Number.isSafeInteger(Math.round(sum)))
    throw lineFault(line, `--${flag} is a duration such as 30s, not ${shown(text)}`);
  if (sum > 0 && sum < 1e6) throw lineFault(line, `--${flag} is at least 1ms`);
  return Math.round(sum);
}

function parseShell({ rest, line }: Raw): InstructionBody {
  const shell = jsonStrings(rest);
  if (shell === undefined || shell.length === 0)
    throw lineFault(line, 'SHELL is written as a list: SHELL ["/bin/bash", "-c"]');
  return { kind: "shell", shell };
}

const optional = <Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
