import { posix } from "node:path";
import { unreachable } from "@shallop/sdk/internal";
import type { ContainerConfig } from "./container-config.ts";
import { defined } from "./container-config.ts";
import { type Expansion, expandWord, expandWords } from "./dockerfile/expand.ts";
import { lineFault, shown } from "./dockerfile/fault.ts";
import type { Command, Healthcheck, Instruction } from "./dockerfile/instruction.ts";

/** Instructions that change nothing but the config. */
export type ConfigInstruction = Exclude<
  Instruction,
  { readonly kind: "from" | "run" | "copy" | "add" | "arg" | "workdir" | "maintainer" }
>;

const shellDefault = ["/bin/sh", "-c"];
/** No image says as much: what came in must also go through execve(2) and into a registry. */
const configBytesMax = 1024 * 1024;

/**
 * The config after an instruction. Pure.
 * @param cmdSet whether this Dockerfile has said CMD: a base's is dropped by ENTRYPOINT, its own is not
 * @throws DockerfileFault DOCKERFILE_INVALID
 */
export function configAfter(
  config: ContainerConfig,
  instruction: ConfigInstruction,
  expansion: Expansion,
  cmdSet: boolean,
): ContainerConfig {
  const after = changed(config, instruction, expansion, cmdSet);
  if (JSON.stringify(after).length > configBytesMax)
    throw lineFault(instruction.line, `the image's config grows to more than ${configBytesMax} bytes`);
  return after;
}

function changed(
  config: ContainerConfig,
  instruction: ConfigInstruction,
  expansion: Expansion,
  cmdSet: boolean,
): ContainerConfig {
  const word = (text: string): string => expandWord(text, expansion);
  switch (instruction.kind) {
    case "cmd":
      return { ...config, cmd: commandLine(config, instruction.command) };
    case "entrypoint": {
      const { cmd, ...rest } = config;
      const kept = cmdSet && cmd !== undefined ? { cmd } : {};
      return { ...rest, ...kept, entrypoint: commandLine(config, instruction.command) };
    }
    case "env": {
      const pairs = instruction.pairs.map(([name, value]) => [word(name), word(value)] as const);
      return { ...config, env: pairs.reduce(withVariable, config.env) };
    }
    case "label": {
      const labels = instruction.pairs.map(([name, value]) => [word(name), word(value)] as const);
      return { ...config, labels: Object.fromEntries([...Object.entries(config.labels), ...labels]) };
    }
    case "expose": {
      const ports = expandWords(instruction.ports, expansion).flatMap((text) => portsOf(text, instruction.line));
      return { ...config, exposedPorts: [...new Set([...config.exposedPorts, ...ports])] };
    }
    case "volume": {
      const paths = instruction.paths.map(word);
      if (paths.includes("")) throw lineFault(instruction.line, "VOLUME has an empty path");
      return { ...config, volumes: [...new Set([...config.volumes, ...paths])] };
    }
    case "user":
      return { ...config, user: word(instruction.value) };
    case "stopsignal":
      return { ...config, stopSignal: signalOf(word(instruction.value), instruction.line) };
    case "onbuild":
      return { ...config, onBuild: [...config.onBuild, instruction.trigger] };
    case "healthcheck":
      return { ...config, healthcheck: healthcheckOf(instruction) };
    case "shell":
      return { ...config, shell: instruction.shell };
    default:
      return unreachable(instruction);
  }
}

/** What is executed: the list as it is, a text by the shell. */
export const commandLine = ({ shell }: Pick<ContainerConfig, "shell">, command: Command): readonly string[] =>
  command.form === "exec" ? command.args : [...(shell ?? shellDefault), command.text];

/** A variable keeps the place of its first mention. */
export function withVariable(env: readonly string[], [name, value]: readonly [string, string]): readonly string[] {
  const at = env.findIndex((text) => text.startsWith(`${name}=`));
  const text = `${name}=${value}`;
  return at < 0 ? [...env, text] : env.with(at, text);
}

/** Value of a variable in a config's environment. */
export function variableOf(env: readonly string[], name: string): string | undefined {
  return env.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The working directory that `WORKDIR path` leads to. */
export const workingDirectory = (current: string, path: string): string => posix.resolve("/", current, path);

// What `8000-65535` can mean at most; a list of more is a mistake.
const portsMax = 65_536;

/** `80`, `80/udp`, `8000-8010/tcp`. */
function portsOf(text: string, line: number): readonly string[] {
  const [, first = "", last = first, protocol = "tcp"] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-zA-Z]+))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  const isKnown = ["tcp", "udp", "sctp"].includes(protocol.toLowerCase());
  if (first === "" || !isKnown || from > to || to >= portsMax)
    throw lineFault(line, `${shown(text)} is no port: EXPOSE takes 80, 80/udp or 8000-8010`);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
}

function signalOf(text: string, line: number): string {
  if (/^(?:SIG)?[A-Z][A-Z0-9]{1,9}(?:[+-]\d{1,2})?$/i.test(text) || /^(?:[1-9]|[1-5]\d|6[0-4])$/.test(text))
    return text;
  throw lineFault(line, `${shown(text)} is no signal: STOPSIGNAL takes SIGTERM or 15`);
}

function healthcheckOf(check: Healthcheck): NonNullable<ContainerConfig["healthcheck"]> {
  const { command } = check;
  if (command === undefined) return { Test: ["NONE"] };
  return {
    Test: command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text],
    ...defined({
      Interval: check.intervalNs,
      Timeout: check.timeoutNs,
      StartPeriod: check.startPeriodNs,
      StartInterval: check.startIntervalNs,
      Retries: check.retries,
    }),
  };
}
