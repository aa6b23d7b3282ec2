import { answerBytesMax, answerLength } from "./jail-protocol.ts";
import type { CellProcess } from "../sandbox/kernel/cell.ts";

/** What a jail has come to. */
export interface JailEnd {
  /** The whole answer; or what there was of it when the process ended. */
  readonly output: Buffer;
  readonly stderr: string;
  readonly code: number | NodeJS.Signals | null;
}

// Of what the jail writes to stderr, for the message.
const stderrCharsMax = 2000;

/**
 * Collects what a jail answers. Nobody waits for the end of a process whose answer is there: its memory and its namespaces take a
 * while to go.
 */
export function collectAnswer(
  child: Pick<CellProcess, "stdout" | "stderr" | "once">,
  kill: (reason: string) => void,
): Promise<JailEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<JailEnd>();
  const chunks: Buffer[] = [];
  let outputBytes = 0;
  let hasLine = false;
  let wholeBytes: number | undefined;
  let stderr = "";
  const end = (code: JailEnd["code"]): void => resolve({ output: Buffer.concat(chunks), stderr, code });
  child.stdout?.on("data", (chunk: Buffer) => {
    outputBytes += chunk.length;
    if (outputBytes > answerBytesMax) return kill(`its preparation wrote more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
    if (!hasLine && chunk.includes(0x0a)) {
      hasLine = true;
      wholeBytes = answerLength(Buffer.concat(chunks));
    }
    if (wholeBytes !== undefined && outputBytes >= wholeBytes) end(0);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-stderrCharsMax);
  });
  child.once("error", reject);
  child.once("close", (code: JailEnd["code"], signal: JailEnd["code"]) => end(code ?? signal));
  return promise;
}
