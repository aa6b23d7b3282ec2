import type { Heredoc } from "./source-lines.ts";

/** A command: an argument list, or a text for the shell. */
export type Command =
  | { readonly form: "exec"; readonly args: readonly string[] }
  | { readonly form: "shell"; readonly text: string };

/** Name and value as they are written: quotes and variables are not looked at yet. */
export type Pair = readonly [name: string, value: string];

export interface CopyInstruction {
  readonly kind: "copy" | "add";
  readonly sources: readonly string[];
  /** Sources whose text stands in the Dockerfile. */
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  /** COPY only: a stage by name or number, or an image. */
  readonly from?: string;
  readonly chown?: string;
  readonly chmod?: string;
  /** ADD only: of a file that is fetched. */
  readonly checksum?: string;
}

export interface Healthcheck {
  readonly kind: "healthcheck";
  /** Undefined: HEALTHCHECK NONE. */
  readonly command?: Command;
  /** Nanoseconds, as image configs have them. */
  readonly intervalNs?: number;
  readonly timeoutNs?: number;
  readonly startPeriodNs?: number;
  readonly startIntervalNs?: number;
  readonly retries?: number;
}

export interface FromInstruction {
  readonly kind: "from";
  readonly image: string;
  readonly platform?: string;
  /** Name of the stage, lower case. */
  readonly name?: string;
}

export interface ArgInstruction {
  readonly kind: "arg";
  readonly args: readonly { readonly name: string; readonly value?: string }[];
}

export interface RunInstruction {
  readonly kind: "run";
  readonly command: Command;
}

/** What an instruction says, before variables are put in. */
export type InstructionBody =
  | FromInstruction
  | RunInstruction
  | { readonly kind: "cmd" | "entrypoint"; readonly command: Command }
  | { readonly kind: "label" | "env"; readonly pairs: readonly Pair[] }
  | { readonly kind: "expose"; readonly ports: string }
  | CopyInstruction
  | { readonly kind: "volume"; readonly paths: readonly string[] }
  | { readonly kind: "user" | "stopsignal"; readonly value: string }
  | { readonly kind: "workdir"; readonly value: string }
  | { readonly kind: "maintainer"; readonly value: string }
  | ArgInstruction
  /** As a base image's config has it; run by those that build upon this image. */
  | { readonly kind: "onbuild"; readonly trigger: string }
  | Healthcheck
  | { readonly kind: "shell"; readonly shell: readonly string[] };

/** An instruction with where it stands and how it is written. */
export type Instruction = InstructionBody & {
  readonly line: number;
  /** On one line, for people. */
  readonly text: string;
};
