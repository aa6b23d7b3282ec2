import type { RequestHead, ResponseHead } from "./frame.ts";

/** The value of a payload that should be JSON; undefined when it is not. */
export function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}

export function isFlatHeaders(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length % 2 !== 0) return false;
  for (const item of value) if (typeof item !== "string") return false;
  return true;
}

function isPhases(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((phaseMs) => typeof phaseMs === "number");
}

export function isRequestHead(value: unknown): value is RequestHead {
  if (typeof value !== "object" || value === null) return false;
  const head = value as Record<string, unknown>;
  return (
    typeof head["method"] === "string" &&
    typeof head["target"] === "string" &&
    (head["scheme"] === "http" || head["scheme"] === "https") &&
    typeof head["authority"] === "string" &&
    typeof head["requestId"] === "string" &&
    typeof head["timeoutMs"] === "number" &&
    isFlatHeaders(head["headers"])
  );
}

export function isResponseHead(value: unknown): value is ResponseHead {
  if (typeof value !== "object" || value === null) return false;
  const head = value as Record<string, unknown>;
  return Number.isInteger(head["status"]) && isFlatHeaders(head["headers"]) && isPhases(head["phasesMs"]);
}
