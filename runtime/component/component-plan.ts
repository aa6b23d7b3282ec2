/** What `prepare` leaves beside the core modules and the glue: `plan.json`. */
export interface ComponentPlan {
  /** Layout of the directory; another one is a broken entry and is made again. */
  readonly format: number;
  /** What the code cache was made by: another V8, or other flags, would refuse it and start slowly. */
  readonly engine: string;
  readonly componentDigest: string;
  readonly componentBytes: number;
  readonly wasiVersion: string;
  /** Name of the export that serves requests. */
  readonly handler: string;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly modules: readonly PlannedModule[];
  /** File with the glue, a classic script. */
  readonly glueFile: string;
  readonly glueBytes: number;
}

interface PlannedModule {
  /** As the glue calls it, and as the file is called. */
  readonly name: string;
  readonly bytes: number;
}

/** Rises with every change of what is written. */
export const planFormat = 1;
export const planFile = "plan.json";

/** @returns the plan, or undefined when the text is none of this format. */
export function parsePlan(text: string): ComponentPlan | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isPlan(value) ? value : undefined;
}

function isPlan(value: unknown): value is ComponentPlan {
  if (typeof value !== "object" || value === null) return false;
  const plan = value as Readonly<Record<string, unknown>>;
  const texts = [plan["engine"], plan["componentDigest"], plan["wasiVersion"], plan["handler"], plan["glueFile"]];
  return (
    plan["format"] === planFormat &&
    texts.every((text) => typeof text === "string") &&
    typeof plan["componentBytes"] === "number" &&
    typeof plan["glueBytes"] === "number" &&
    isTextList(plan["imports"]) &&
    isTextList(plan["exports"]) &&
    Array.isArray(plan["modules"]) &&
    plan["modules"].every(isModule)
  );
}

const isTextList = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "string");

function isModule(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const module = value as Readonly<Record<string, unknown>>;
  // A name with a slash could lead out of the directory.
  return typeof module["bytes"] === "number" && /^[\w-]+(\.[\w-]+)*\.wasm$/.test(String(module["name"]));
}
