import { lineBytesMax } from "./jail-protocol.ts";
import type { CellProcess } from "../sandbox/kernel/cell.ts";

/** What a jail has come to. */
export interface JailEnd {
  /** The whole line; or what there was of it when the process ended. */
  readonly line: Buffer;
  readonly stderr: string;
  readonly code: number | NodeJS.Signals | null;
}

// Of what the jail writes to stderr, for the message.
const stderrCharsMax = 2000;

/**
 * Collects the line that a jail answers. Nobody waits for the end of a process whose answer is there: its memory and its namespaces
 * take a while to go.
 */
export function collectAnswer(
  child: Pick<CellProcess, "stdout" | "stderr" | "once">,
  kill: (reason: string) => void,
): Promise<JailEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<JailEnd>();
  const chunks: Buffer[] = [];
  let lineBytes = 0;
  let stderr = "";
  const end = (code: JailEnd["code"]): void => resolve({ line: Buffer.concat(chunks), stderr, code });
  child.stdout?.on("data", (chunk: Buffer) => {
    lineBytes += chunk.length;
    if (lineBytes > lineBytesMax) return kill(`its preparation answered with more than ${lineBytesMax} bytes`);
    chunks.push(chunk);
    if (chunk.includes(0x0a)) end(0);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-stderrCharsMax);
  });
  child.once("error", reject);
  child.once("close", (code: JailEnd["code"], signal: JailEnd["code"]) => end(code ?? signal));
  return promise;
}
