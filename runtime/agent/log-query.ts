import { logForms } from "@shallop/sdk/wire";
import type { LogQuery } from "../pod/log-reader.ts";
import { AgentFault } from "./fault-status.ts";

/**
 * `PodLogOptions` of a query string, as the kubelet takes them: `follow`, `previous`, `timestamps`, `tailLines`,
 * `limitBytes`, `sinceSeconds` or `sinceTime`; and `prefix` and `format`, ours: `cri` gives lines as they are stored,
 * `json` an object a line. @throws AgentFault BAD_REQUEST
 */
export function parseLogQuery(query: URLSearchParams, nowWallMs: number): LogQuery {
  const sinceSeconds = count(query, "sinceSeconds", 1);
  const sinceTime = query.get("sinceTime");
  if (sinceSeconds !== undefined && sinceTime !== null) throw bad("sinceSeconds and sinceTime exclude each other");
  const sinceWallMs = sinceTime === null ? undefined : Date.parse(sinceTime);
  if (Number.isNaN(sinceWallMs)) throw bad(`sinceTime "${shown(sinceTime)}" is no RFC 3339 time`);
  const since = sinceSeconds === undefined ? sinceWallMs : nowWallMs - sinceSeconds * 1000;
  const tailLines = count(query, "tailLines", 0);
  const format = query.get("format") || "text";
  const form = logForms.find((one) => one === format);
  if (form === undefined) throw bad(`format "${shown(format)}" is not known; there are ${logForms.join(", ")}`);
  const limitBytes = count(query, "limitBytes", 1);
  return {
    follow: flag(query, "follow"),
    previous: flag(query, "previous"),
    timestamps: flag(query, "timestamps"),
    prefix: flag(query, "prefix"),
    form,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === undefined ? {} : { sinceWallMs: since }),
  };
}

function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === "false" || text === "0") return false;
  // `?follow` alone is meant as yes.
  if (text === "" || text === "true" || text === "1") return true;
  throw bad(`${name} is "${shown(text)}", not true or false`);
}

function count(query: URLSearchParams, name: string, min: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min)) throw bad(`${name} is "${shown(text)}", not a number of at least ${String(min)}`);
  return value;
}

const bad = (message: string): AgentFault => new AgentFault("BAD_REQUEST", `cannot read the log: ${message}`);
const shown = (text: string | null): string => (text ?? "").slice(0, 40);
