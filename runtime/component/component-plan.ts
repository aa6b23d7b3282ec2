import { createHash } from "node:crypto";
import type { Purpose } from "./requirements.ts";

/** What `prepare` leaves beside a component's core modules: `plan.json`. */
export interface ComponentPlan {
  /** Layout of the directory; another one is a broken entry and is made again. */
  readonly format: number;
  /** What the code cache was made by: another V8, or other flags, would refuse it and start slowly. */
  readonly engine: string;
  /** Which engine runs it: `linked` has `links.json`, `bindings` has jco's `glue.js` and perhaps `glue.cache`. */
  readonly form: PreparedForm;
  readonly componentDigest: string;
  readonly componentBytes: number;
  readonly wasiVersion: string;
  readonly purpose: Purpose;
  /** Name of the export that is called. */
  readonly entry: string;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** Core modules, in their order in the component. */
  readonly modules: readonly PlannedFile[];
  /** The other files. */
  readonly files: readonly PlannedFile[];
}

export type PreparedForm = "linked" | "bindings";

interface PlannedFile {
  readonly name: string;
  readonly bytes: number;
  /** SHA-256 of its content, in hexadecimal. */
  readonly sha256: string;
}

/** Rises with every change of what is written. */
export const planFormat = 4;
export const planFile = "plan.json";
export const linksFile = "links.json";
export const glueFile = "glue.js";
export const glueCacheFile = "glue.cache";

export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** The text of `plan.json`: the plan, and its digest. */
export const planText = (plan: ComponentPlan): string =>
  JSON.stringify({ sha256: sha256(JSON.stringify(plan)), plan }, undefined, 2);

/** @returns the plan, or undefined when the text is none of this format, or not as it was written. */
export function parsePlan(text: string): ComponentPlan | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("plan" in value) || !("sha256" in value)) return undefined;
  const { plan } = value;
  return isPlan(plan) && value.sha256 === sha256(JSON.stringify(plan)) ? plan : undefined;
}

function isPlan(value: unknown): value is ComponentPlan {
  if (typeof value !== "object" || value === null) return false;
  const plan = value as Readonly<Record<string, unknown>>;
  const texts = [plan["engine"], plan["componentDigest"], plan["wasiVersion"], plan["entry"]];
  return (
    plan["format"] === planFormat &&
    (plan["form"] === "linked" || plan["form"] === "bindings") &&
    (plan["purpose"] === "serve" || plan["purpose"] === "run") &&
    texts.every((text) => typeof text === "string") &&
    typeof plan["componentBytes"] === "number" &&
    isTextList(plan["imports"]) &&
    isTextList(plan["exports"]) &&
    isFileList(plan["modules"]) &&
    isFileList(plan["files"])
  );
}

const isTextList = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "string");
const isFileList = (value: unknown): boolean => Array.isArray(value) && value.every(isFile);

function isFile(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const file = value as Readonly<Record<string, unknown>>;
  // A name with a slash could lead out of the directory.
  return (
    typeof file["bytes"] === "number" &&
    typeof file["sha256"] === "string" &&
    /^[\w-]+(\.[\w-]+)+$/.test(String(file["name"]))
  );
}
