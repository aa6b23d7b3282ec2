import type { StatusCause } from "../fault.ts";
import { invalid } from "./cause.ts";

// k8s.io/apimachinery/pkg/util/validation: the rules for names, and the sentences that refuse them.

const label1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const label1123Message =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with " +
  `an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label1123}')`;
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const subdomain1123Message =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
  `end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomain1123}')`;
const label1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and " +
  `end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${label1035}')`;
const qualifiedName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const qualifiedNameMessage =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
  `'${qualifiedName}')`;
const labelValue = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
  `with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${labelValue}')`;

export type NameRule = "label-1123" | "subdomain-1123" | "label-1035";

const rules = {
  "label-1123": { expression: new RegExp(`^${label1123}$`), message: label1123Message, lengthMax: 63 },
  "subdomain-1123": { expression: new RegExp(`^${subdomain1123}$`), message: subdomain1123Message, lengthMax: 253 },
  "label-1035": { expression: new RegExp(`^${label1035}$`), message: label1035Message, lengthMax: 63 },
} as const satisfies Record<NameRule, { expression: RegExp; message: string; lengthMax: number }>;

/** What is wrong with `name` under `rule`, in Kubernetes' words; undefined when nothing is. */
export function nameFault(rule: NameRule, name: string): string | undefined {
  const { expression, message, lengthMax } = rules[rule];
  // The length comes first: the expressions run over text that somebody sent.
  if (name.length > lengthMax) return `must be no more than ${lengthMax} characters`;
  return expression.test(name) ? undefined : message;
}

export function checkName(rule: NameRule, name: string, path: string): StatusCause[] {
  const fault = nameFault(rule, name);
  return fault === undefined ? [] : [invalid(path, name, fault)];
}

const qualifiedNameExpression = new RegExp(`^${qualifiedName}$`);
const labelValueExpression = new RegExp(`^${labelValue}$`);

/** A key of labels or annotations: `name` or `prefix/name`. */
export function qualifiedNameFault(key: string): string | undefined {
  const slash = key.indexOf("/");
  const name = slash === -1 ? key : key.slice(slash + 1);
  if (slash !== -1) {
    const prefixFault =
      slash === 0 ? "prefix part must be non-empty" : nameFault("subdomain-1123", key.slice(0, slash));
    if (prefixFault !== undefined) return prefixFault;
  }
  if (name === "") return "name part must be non-empty";
  if (name.length > 63) return "name part must be no more than 63 characters";
  return qualifiedNameExpression.test(name) ? undefined : qualifiedNameMessage;
}

export function labelValueFault(value: string): string | undefined {
  if (value.length > 63) return "must be no more than 63 characters";
  return labelValueExpression.test(value) ? undefined : labelValueMessage;
}
