import {
  dig,
  type JsonObject,
  type KindDefinition,
  labelValueFault,
  qualifiedNameFault,
  textsAt,
} from "@shallop/sdk/api";
import { badRequest } from "./faults.ts";

type Matcher = (object: JsonObject) => boolean;

export interface Selection {
  readonly matches: Matcher;
  /** False when everything matches. */
  readonly selective: boolean;
  /** The one name that can match, when the selector says so: reads one key instead of all. */
  readonly name: string | undefined;
}

// A selector comes in a URL, and each requirement costs time for each object.
const selectorBytesMax = 8192;

/** Parses both selectors of a request. @throws ApiFault BadRequest */
export function parseSelection(kind: KindDefinition, labels: string, fields: string): Selection {
  if (labels.length + fields.length > selectorBytesMax) throw badRequest("selectors are longer than 8192 characters");
  const labelMatchers = parseLabelSelector(labels);
  const requirements = parseFieldSelector(kind, fields);
  const matchers: Matcher[] = requirements.map(({ field, equal, value }) => {
    const missing = kind.selectableFields[field] ?? "";
    return (object) => (fieldValue(object, field, missing) === value) === equal;
  });
  return {
    matches: (object) => {
      if (labelMatchers.length > 0) {
        const objectLabels = textsAt(object, "metadata", "labels");
        if (!labelMatchers.every((matches) => matches(objectLabels))) return false;
      }
      return matchers.every((matches) => matches(object));
    },
    selective: labelMatchers.length > 0 || matchers.length > 0,
    name: requirements.find(({ field, equal }) => field === "metadata.name" && equal)?.value,
  };
}

function fieldValue(object: JsonObject, field: string, missing: string): string {
  const value = dig(object, ...field.split("."));
  // The selector `source` of Events names the component.
  if (field === "source") {
    const component = dig(object, "source", "component") ?? dig(object, "reportingComponent");
    return typeof component === "string" ? component : missing;
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : missing;
}

interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** k8s.io/apimachinery/pkg/fields: `a=b,c!=d`; a backslash escapes comma, equals sign and itself in values. */
function parseFieldSelector(kind: KindDefinition, text: string): FieldRequirement[] {
  return text
    .split(/(?<!\\),/)
    .filter((term) => term !== "")
    .map((term) => {
      const match = /^([^=!]+)(==|!=|=)(.*)$/s.exec(term);
      if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      const [, field = "", operator, value = ""] = match;
      const known =
        field === "metadata.name" ||
        (field === "metadata.namespace" && kind.resource.namespaced) ||
        Object.hasOwn(kind.selectableFields, field);
      if (!known) throw badRequest(`field label not supported: ${field}`);
      return { field, equal: operator !== "!=", value: value.replaceAll(/\\([\\,=])/g, "$1") };
    });
}

type LabelMatcher = (labels: Readonly<Record<string, string>>) => boolean;

/** k8s.io/apimachinery/pkg/labels: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, `a>1`, `a<1`. */
function parseLabelSelector(text: string): LabelMatcher[] {
  return splitTerms(text).map((term) => {
    const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
    if (set !== null) return setMatcher(text, set);
    const compare = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$/.exec(term);
    if (compare !== null) return compareMatcher(text, compare);
    const exists = /^(!?)\s*([^\s=!<>]+)$/.exec(term);
    if (exists === null) throw unparsable(text, `found '${term}'`);
    const [, not = "", key = ""] = exists;
    checkKey(text, key);
    return (labels) => Object.hasOwn(labels, key) === (not === "");
  });
}

/** Cuts at commas that are not within parentheses. */
function splitTerms(text: string): string[] {
  const terms = text.split(/,(?![^(]*\))/).map((term) => term.trim());
  return terms.length === 1 && terms[0] === "" ? [] : terms;
}

function setMatcher(text: string, [, key = "", operator, list = ""]: RegExpExecArray): LabelMatcher {
  checkKey(text, key);
  const values = new Set(list.split(",").map((value) => value.trim()));
  for (const value of values) checkValue(text, value);
  if (operator === "in") return (labels) => Object.hasOwn(labels, key) && values.has(labels[key] ?? "");
  return (labels) => !Object.hasOwn(labels, key) || !values.has(labels[key] ?? "");
}

function compareMatcher(text: string, [, key = "", operator = "", value = ""]: RegExpExecArray): LabelMatcher {
  checkKey(text, key);
  checkValue(text, value);
  const has = (labels: Readonly<Record<string, string>>): boolean => Object.hasOwn(labels, key);
  switch (operator) {
    case "!=":
      return (labels) => !has(labels) || labels[key] !== value;
    case ">":
      return (labels) => has(labels) && Number(labels[key]) > Number(value);
    case "<":
      return (labels) => has(labels) && Number(labels[key]) < Number(value);
    default:
      return (labels) => has(labels) && labels[key] === value;
  }
}

function checkKey(text: string, key: string): void {
  const fault = qualifiedNameFault(key);
  if (fault !== undefined) throw unparsable(text, `Invalid value: "${key}": ${fault}`);
}

function checkValue(text: string, value: string): void {
  const fault = labelValueFault(value);
  if (fault !== undefined) throw unparsable(text, `Invalid value: "${value}": ${fault}`);
}

const unparsable = (text: string, why: string): Error =>
  badRequest(`unable to parse requirement: couldn't parse the selector string "${text}": ${why}`);
