import { isUtf8 } from "node:buffer";
import type { PreparedForm } from "./component-plan.ts";
import type { Purpose } from "./requirements.ts";

/** What the jail says when it is done: one line of JSON. The files' bytes are in the file that it writes, in the order of `files`. */
export type JailAnswer =
  | {
      readonly outcome: "prepared";
      readonly form: PreparedForm;
      readonly purpose: Purpose;
      readonly wasiVersion: string;
      readonly entry: string;
      readonly imports: readonly string[];
      readonly exports: readonly string[];
      readonly files: readonly JailFile[];
    }
  | { readonly outcome: "unmet"; readonly unmet: readonly string[] }
  | { readonly outcome: "invalid"; readonly message: string };

interface JailFile {
  readonly name: string;
  readonly bytes: number;
}

/** Names of imports and exports, and a sentence. */
export const lineBytesMax = 1024 * 1024;

export interface JailOutput {
  readonly answer: JailAnswer;
  /** Contents by file name. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

/** @returns undefined when the output is none that the jail's program writes: it was cut short, or taken over. */
export function parseJailOutput(line: Buffer, files: Buffer): JailOutput | undefined {
  const answer = parseLine(line);
  if (answer === undefined) return undefined;
  const contents = new Map<string, Buffer>();
  let offset = 0;
  for (const file of filesOf(answer)) {
    contents.set(file.name, files.subarray(offset, offset + file.bytes));
    offset += file.bytes;
  }
  return offset === files.length ? { answer, contents } : undefined;
}

const filesOf = (answer: JailAnswer): readonly JailFile[] => (answer.outcome === "prepared" ? answer.files : []);

function parseLine(line: Buffer): JailAnswer | undefined {
  if (line.indexOf(0x0a) !== line.length - 1 || line.length > lineBytesMax || !isUtf8(line)) return undefined;
  let answer: unknown;
  try {
    answer = JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
  return isAnswer(answer) ? answer : undefined;
}

function isAnswer(value: unknown): value is JailAnswer {
  if (typeof value !== "object" || value === null || !("outcome" in value)) return false;
  const answer = value as Readonly<Record<string, unknown>>;
  if (answer["outcome"] === "invalid") return typeof answer["message"] === "string";
  if (answer["outcome"] === "unmet") return isTextList(answer["unmet"]);
  return (
    answer["outcome"] === "prepared" &&
    (answer["form"] === "linked" || answer["form"] === "bindings") &&
    (answer["purpose"] === "serve" || answer["purpose"] === "run") &&
    typeof answer["wasiVersion"] === "string" &&
    typeof answer["entry"] === "string" &&
    isTextList(answer["imports"]) &&
    isTextList(answer["exports"]) &&
    Array.isArray(answer["files"]) &&
    answer["files"].every(isFile)
  );
}

const isTextList = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "string");

function isFile(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const file = value as Readonly<Record<string, unknown>>;
  // No slash: a name is never a way out of the directory it is written to.
  return (
    /^[\w-]+(\.[\w-]+)+$/.test(String(file["name"])) &&
    Number.isSafeInteger(file["bytes"]) &&
    Number(file["bytes"]) >= 0
  );
}
