import { statSync } from "node:fs";
import { isIPv6 } from "node:net";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type InstanceReuse, parseDurationMs, reuseRows } from "@shallop/sdk/internal";
import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
import { StandaloneFault } from "./standalone-fault.ts";

/** What the guest of either command is given. */
interface GuestFlags {
  readonly file: string;
  /** Where prepared components are kept. */
  readonly cacheDirectory: string;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly directories: readonly GrantedDirectory[];
  readonly memoryBytesMax: number;
  readonly allowedHosts: readonly AllowedHost[];
}

/** A host that a guest may reach; on every port when none is named. */
export interface AllowedHost {
  readonly host: string;
  readonly port: number | undefined;
}

export interface RunFlags extends GuestFlags {
  readonly arguments: readonly string[];
  readonly timeoutMs: number | undefined;
}

export interface ServeFlags extends GuestFlags {
  readonly address: { readonly host: string; readonly port: number };
  readonly timeoutMs: number;
  /** How instances are used again, as far as it is said. */
  readonly reuse: Partial<InstanceReuse>;
}

/** What 32 bits address. */
const memoryBytesDefault = 2 ** 32;
const pageBytes = 2 ** 16;
// As the platform's own default of a revision.
const serveTimeoutDefault = "5m";
// A timer of Node counts in 32 bits.
const timeoutMsMax = 2 ** 31 - 1;

const guestOptions = {
  cache: { type: "string" },
  dir: { type: "string", multiple: true, default: [] as string[] },
  env: { type: "string", multiple: true, default: [] as string[] },
  "max-memory": { type: "string" },
  "allow-host": { type: "string", multiple: true, default: [] as string[] },
  timeout: { type: "string" },
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** `environment`: this process's own, for `--env NAME`. @throws StandaloneFault USAGE */
export function parseRunFlags(args: readonly string[], environment: Environment): RunFlags {
  const end = args.indexOf("--");
  const own = end === -1 ? args : args.slice(0, end);
  const { values, positionals } = parse(() =>
    parseArgs({ args: [...own], options: guestOptions, allowPositionals: true }),
  );
  return {
    ...guestFlags(values, positionals, environment),
    arguments: end === -1 ? [] : args.slice(end + 1),
    timeoutMs: values.timeout === undefined ? undefined : duration("--timeout", values.timeout),
  };
}

/** @throws StandaloneFault USAGE */
export function parseServeFlags(args: readonly string[], environment: Environment): ServeFlags {
  const options = {
    ...guestOptions,
    addr: { type: "string", default: "127.0.0.1:8080" },
    reuse: { type: "string" },
    "reuse-at-once": { type: "string" },
    "reuse-idle": { type: "string" },
  } as const;
  const { values, positionals } = parse(() => parseArgs({ args: [...args], options, allowPositionals: true }));
  return {
    ...guestFlags(values, positionals, environment),
    address: listenAddress(values.addr),
    timeoutMs: duration("--timeout", values.timeout ?? serveTimeoutDefault),
    reuse: reuse({
      requestsMax: values.reuse === undefined ? undefined : count("--reuse", values.reuse),
      atOnceMax: values["reuse-at-once"] === undefined ? undefined : count("--reuse-at-once", values["reuse-at-once"]),
      idleMs: values["reuse-idle"] === undefined ? undefined : duration("--reuse-idle", values["reuse-idle"]),
    }),
  };
}

interface GuestValues {
  readonly cache?: string | undefined;
  readonly dir: readonly string[];
  readonly env: readonly string[];
  readonly "max-memory"?: string | undefined;
  readonly "allow-host": readonly string[];
}

function guestFlags(values: GuestValues, positionals: readonly string[], environment: Environment): GuestFlags {
  const [file, ...more] = positionals;
  if (file === undefined) throw usage("FILE.wasm is missing: name a component or a core module");
  if (more.length > 0)
    throw usage(`${JSON.stringify(more[0])} is one file too many; arguments of the guest come after --`);
  if (values.cache === undefined) throw usage("--cache DIR is missing: where prepared components are kept");
  return {
    file,
    cacheDirectory: resolve(values.cache),
    environment: values.env.map((text) => variable(text, environment)),
    directories: values.dir.map(directory),
    memoryBytesMax: values["max-memory"] === undefined ? memoryBytesDefault : memory(values["max-memory"]),
    allowedHosts: values["allow-host"].map(allowedHost),
  };
}

const usage = (message: string): StandaloneFault => new StandaloneFault("USAGE", message);

function parse<Parsed>(run: () => Parsed): Parsed {
  try {
    return run();
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

/** `K=V`, or `K` alone for the value that it has here. */
function variable(text: string, environment: Environment): readonly [string, string] {
  const at = text.indexOf("=");
  if (at === 0 || text === "")
    throw usage(`--env is ${JSON.stringify(text)}; write NAME=VALUE, or NAME to hand on its value`);
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  const value = environment[text];
  if (value === undefined) throw usage(`--env ${text}: there is no variable ${text} here; write ${text}=VALUE`);
  return [text, value];
}

/** `HOST::GUEST`, or `HOST` alone for the same name. */
function directory(text: string): GrantedDirectory {
  const at = text.indexOf("::");
  const name = at === -1 ? text : text.slice(0, at);
  const guest = at === -1 ? text : text.slice(at + 2);
  if (name === "" || guest === "") throw usage(`--dir is ${JSON.stringify(text)}; write HOST::GUEST or one directory`);
  const host = resolve(name);
  if (statSync(host, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw usage(`--dir ${text}: ${host} is no directory; name one that is there`);
  }
  return { host, guest, writable: true };
}

const unitBytes: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

function memory(text: string): number {
  const parts = /^(\d{1,15})([kmg]?)(?:ib?|b)?$/i.exec(text);
  const bytes = Number(parts?.[1]) * (unitBytes[parts?.[2]?.toLowerCase() ?? ""] ?? Number.NaN);
  if (bytes >= pageBytes && bytes <= memoryBytesDefault) return bytes;
  throw usage(`--max-memory is ${JSON.stringify(text)}; write bytes between 64K and 4G, such as 64M`);
}

function duration(flag: string, text: string): number {
  const milliseconds = parseDurationMs(text) ?? 0;
  if (milliseconds > 0 && milliseconds <= timeoutMsMax) return milliseconds;
  throw usage(
    `${flag} is ${JSON.stringify(text)}; write a duration above zero and below 25 days, such as 500ms, 30s or 1m30s`,
  );
}

function count(flag: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usage(`${flag} is ${JSON.stringify(text)}; write a number of requests, 1 or more`);
}

/** What a revision may ask for may be asked for here. */
function reuse(said: Readonly<Record<keyof InstanceReuse, number | undefined>>): Partial<InstanceReuse> {
  const given = (Object.keys(said) as (keyof InstanceReuse)[]).flatMap((name) => {
    const value = said[name];
    if (value === undefined) return [];
    const { min, max } = reuseRows[name];
    if (value >= min && value <= max) return [[name, value] as const];
    const unit = name === "idleMs" ? "ms" : "";
    throw usage(`${reuseFlags[name]} is ${value}${unit}; write what is from ${min}${unit} to ${max}${unit}`);
  });
  return Object.fromEntries(given);
}

const reuseFlags: Readonly<Record<keyof InstanceReuse, string>> = {
  requestsMax: "--reuse",
  atOnceMax: "--reuse-at-once",
  idleMs: "--reuse-idle",
};

function listenAddress(text: string): { readonly host: string; readonly port: number } {
  const { host, port } = hostAndPort("--addr", text);
  if (port === undefined || host === "")
    throw usage(`--addr is ${JSON.stringify(text)}; write HOST:PORT, such as 127.0.0.1:8080`);
  return { host, port };
}

function allowedHost(text: string): AllowedHost {
  const { host, port } = hostAndPort("--allow-host", text);
  if (host === "" || port === 0) throw usage(`--allow-host is ${JSON.stringify(text)}; write HOST or HOST:PORT`);
  return { host: host.toLowerCase(), port };
}

/** `HOST`, `HOST:PORT`, `[::1]:PORT`, or an IPv6 address by itself. */
function hostAndPort(flag: string, text: string): AllowedHost {
  if (isIPv6(text)) return { host: text, port: undefined };
  const parts = /^(?:\[([^\]]*)\]|([^:[\]/\s]*))(?::(\d{1,5}))?$/.exec(text);
  const port = parts?.[3] === undefined ? undefined : Number(parts[3]);
  if (parts === null || (port ?? 0) > 65_535) throw usage(`${flag} is ${JSON.stringify(text)}, which is no HOST:PORT`);
  if (parts[1] !== undefined && !isIPv6(parts[1]))
    throw usage(`${flag} is ${JSON.stringify(text)}: ${parts[1]} is no IPv6 address`);
  return { host: parts[1] ?? parts[2] ?? "", port };
}
