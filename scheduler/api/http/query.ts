import { type LogForm, logForms } from "@shallop/sdk/wire";
import type { FieldValidation } from "../machinery.ts";
import { badRequest } from "../faults.ts";
import type { ListOptions } from "../read.ts";
import type { WatchOptions } from "../watch.ts";

/** Query parameters, parsed. Unknown ones are ignored, as apiserver does. */

/** `true`, `1`, or the name alone. */
export function booleanParameter(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return text !== "false" && text !== "0";
}

/** A number of seconds, lines or items. @throws ApiFault BadRequest */
export function integerParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid value for ${name}: "${text}" is no whole number`);
  return Number(text);
}

/** The form of a log. @throws ApiFault BadRequest */
export function formatParameter(query: URLSearchParams): LogForm {
  const text = query.get("format") || "text";
  const form = logForms.find((one) => one === text);
  if (form !== undefined) return form;
  throw badRequest(`format "${text.slice(0, 50)}" is not known; there are ${logForms.join(", ")}`);
}

const given = <Name extends string>(query: URLSearchParams, name: Name): Partial<Record<Name, string>> => {
  const text = query.get(name);
  // The assertion is of a computed key, which TypeScript widens to string.
  return text === null || text === "" ? {} : ({ [name]: text } as Partial<Record<Name, string>>);
};

export function listOptions(query: URLSearchParams): ListOptions {
  const limit = integerParameter(query, "limit");
  return {
    ...given(query, "labelSelector"),
    ...given(query, "fieldSelector"),
    ...given(query, "continue"),
    ...given(query, "resourceVersion"),
    ...given(query, "resourceVersionMatch"),
    ...(limit === undefined ? {} : { limit }),
  };
}

export function watchOptions(query: URLSearchParams): WatchOptions {
  const timeoutSeconds = integerParameter(query, "timeoutSeconds");
  const sendInitialEvents = booleanParameter(query, "sendInitialEvents");
  return {
    ...given(query, "labelSelector"),
    ...given(query, "fieldSelector"),
    ...given(query, "resourceVersion"),
    ...given(query, "resourceVersionMatch"),
    allowWatchBookmarks: booleanParameter(query, "allowWatchBookmarks") ?? false,
    ...(sendInitialEvents === undefined ? {} : { sendInitialEvents }),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
  };
}

export interface WriteParameters {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  readonly fieldManager?: string;
}

// k8s.io/apimachinery/pkg/apis/meta/v1/validation: FieldManagerMaxLength.
const managerCharsMax = 128;

/** @throws ApiFault BadRequest */
export function writeParameters(query: URLSearchParams): WriteParameters {
  const dryRun = query.getAll("dryRun").filter((value) => value !== "");
  if (dryRun.some((value) => value !== "All")) {
    throw badRequest(`dryRun: Unsupported value: "${dryRun.join(",").slice(0, 100)}": supported values: "All"`);
  }
  const mode = query.get("fieldValidation") ?? "";
  if (mode !== "" && mode !== "Strict" && mode !== "Warn" && mode !== "Ignore") {
    throw badRequest(
      `fieldValidation: Unsupported value: "${mode.slice(0, 100)}": supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  const { fieldManager } = given(query, "fieldManager");
  if (fieldManager !== undefined && (fieldManager.length > managerCharsMax || !/^[\x20-\x7e]+$/.test(fieldManager))) {
    throw badRequest(`fieldManager: must be at most ${managerCharsMax} printable characters`);
  }
  return {
    dryRun: dryRun.length > 0,
    fieldValidation: mode === "" ? "Warn" : mode,
    ...(fieldManager === undefined ? {} : { fieldManager }),
  };
}
