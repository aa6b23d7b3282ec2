import { camelCase } from "../../../runtime/component/abi/codec.ts";
import type { Form, Item } from "./wast-text.ts";

/** `(u32.const 5)`, `(record.const (field "a" …))`: a value as the host has it (`runtime/component/abi/codec.ts`). */
export const valueOf = (form: Form): unknown => itemsValue(form.items);

function itemsValue([head, ...rest]: readonly Item[]): unknown {
  if (typeof head === "object" && "items" in head) return itemsValue(head.items);
  const kind = textOf(head);
  const [first, second] = rest;
  switch (kind) {
    case "bool.const":
      return first === "true";
    case "u64.const":
    case "s64.const":
      return bigintOf(textOf(first));
    case "f32.const":
    case "f64.const":
      return floatOf(textOf(first));
    case "char.const":
    case "str.const":
    case "enum.const":
      return textOf(first);
    case "list.const":
    case "tuple.const":
      return rest.map((item) => valueOf(formOf(item)));
    case "record.const":
      return Object.fromEntries(rest.map((item) => fieldOf(formOf(item))));
    case "flags.const":
      return Object.fromEntries(rest.map((item) => [camelCase(textOf(item)), true]));
    case "variant.const":
      return { tag: textOf(first), ...payload(second) };
    case "option.none":
      return undefined;
    case "option.some":
      return valueOf(formOf(first));
    case "result.ok":
    case "result.err":
      return { tag: kind.slice("result.".length), ...payload(first) };
    default:
      if (!/^[su](8|16|32)\.const$/.test(kind)) throw new SyntaxError(`a script has no value ${kind}`);
      return Number(bigintOf(textOf(first)));
  }
}

const payload = (item: Item | undefined): object => (item === undefined ? {} : { val: valueOf(formOf(item)) });

/** `(field "a" (u32.const 1))`, `(field "a" u32.const 1)`. */
function fieldOf({ items: [, name, ...value] }: Form): [string, unknown] {
  return [camelCase(textOf(name)), itemsValue(value)];
}

/**
 * What a guest returned, so that it can be compared with what a script writes down: lists of numbers are arrays here, flags
 * are those that are set, and cases without a payload have none.
 */
export function comparable(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return [...(value as Uint8Array)];
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined && member !== false);
  return Object.fromEntries(members.map(([name, member]) => [name, comparable(member)]));
}

export function formOf(item: Item | undefined): Form {
  if (typeof item === "object" && "items" in item) return item;
  throw new SyntaxError("a form is missing");
}

export function textOf(item: Item | undefined): string {
  if (item === undefined || (typeof item === "object" && "items" in item)) throw new SyntaxError("a word is missing");
  return item.toString();
}

function bigintOf(text: string): bigint {
  const digits = text.replaceAll("_", "").replace(/^[+-]/, "");
  return text.startsWith("-") ? -BigInt(digits) : BigInt(digits);
}

function floatOf(text: string): number {
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/.exec(text.replaceAll("_", "")) ?? [];
  const value = digits.startsWith("nan") ? Number.NaN : digits === "inf" ? Infinity : magnitudeOf(digits);
  return sign === "-" ? -value : value;
}

/** `1.5e3`, `0x1.8p+1`. */
function magnitudeOf(digits: string): number {
  const [, whole = "", fraction = "", power = "0"] =
    /^0x([\da-f]+)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i.exec(digits) ?? [];
  if (whole === "") return Number(digits);
  return Number.parseInt(whole + fraction, 16) * 2 ** (Number(power) - 4 * fraction.length);
}
