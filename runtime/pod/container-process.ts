import type { Readable, Writable } from "node:stream";

/** Characters, as a terminal shows them. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A command to be run beside a container's own program. */
export interface ExecRequest {
  readonly command: readonly string[];
  /** Give it a terminal: one output, line editing, signals by keys. */
  readonly terminal: boolean;
  /** `NAME=value`, beside the container's own. */
  readonly env?: readonly string[];
  /** `user[:group]`, by number or as the container's own files name them, instead of the container's; root only where the pod may be. */
  readonly user?: string;
  /** Absolute; instead of the container's. */
  readonly workingDir?: string;
}

/** How somebody joins a container's own program. */
export interface AttachRequest {
  /** Write to its standard input, where it has one. */
  readonly stdin: boolean;
}

/** A program in a container, with its streams in our hands: run by exec, or the container's own by attach. */
export interface ContainerProcess {
  /** Undefined when nobody may write to it. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** Undefined with a terminal: it has one output. */
  readonly stderr: Readable | undefined;
  /** Resolves with its exit code when it has ended and its output was read. @throws PodFault when it could not run */
  readonly ended: Promise<number>;
  resize(size: TerminalSize): Promise<void>;
  /** Nobody listens any more. A command is hung up, and killed if that does not end it; a container runs on. */
  leave(): void;
}
