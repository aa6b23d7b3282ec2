/** As Node prints: a first string's %s, %d, %i, %f, %j, %o, %O, %c are filled in, the rest follows with spaces between. */
export function format(values: readonly unknown[]): string {
  const [first, ...others] = values;
  const plain = (value: unknown): string => (typeof value === "string" ? value : inspect(value));
  if (typeof first !== "string") return values.map(plain).join(" ");
  if (others.length === 0) return first;
  const text = first.replace(/%[sdifjoOc%]/g, (mark) => {
    if (mark === "%%") return "%";
    return others.length === 0 ? mark : filled(mark, others.shift());
  });
  return [text, ...others.map(plain)].join(" ");
}

function filled(mark: string, value: unknown): string {
  switch (mark) {
    case "%s":
      return typeof value === "object" && value !== null && !(value instanceof Error) ? inspect(value) : text(value);
    case "%d":
      return typeof value === "bigint" ? `${value}n` : typeof value === "symbol" ? "NaN" : text(Number(value));
    case "%i":
      return typeof value === "bigint" ? `${value}n` : text(Number.parseInt(String(value), 10));
    case "%f":
      return text(Number.parseFloat(String(value)));
    case "%j":
      return JSON.stringify(value) ?? "undefined";
    case "%c":
      return "";
    default:
      return inspect(value);
  }
}

/** A primitive by itself, without quotes. */
const text = (value: unknown): string =>
  typeof value === "bigint" ? `${value}n` : Object.is(value, -0) ? "-0" : String(value);

/** Objects within objects deeper than this are named, not shown, as in Node. */
const depthMax = 2;
/** More members of one array, map or set than this help no reader. */
const itemsMax = 100;

/** By this an object gives another that is shown in its place, or a text: Node's name for it. */
export const inspected = Symbol.for("nodejs.util.inspect.custom");

/** One value as text, in one line (errors bring their stacks). */
export function inspect(value: unknown): string {
  return show(value, []);
}

function show(value: unknown, within: readonly object[]): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "function") return value.name === "" ? "[Function (anonymous)]" : `[Function: ${value.name}]`;
  if (typeof value !== "object" || value === null) return text(value);
  if (within.includes(value)) return "[Circular]";
  if (value instanceof Error) return errorText(value, within);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (within.length > depthMax) return Array.isArray(value) ? "[Array]" : `[${kindOf(value) ?? "Object"}]`;
  const inner = [...within, value];
  if (Array.isArray(value))
    return braced(
      "[",
      value.slice(0, itemsMax).map((item) => show(item, inner)),
      value.length,
    );
  if (value instanceof Map) {
    const pairs = [...value].slice(0, itemsMax).map(([key, item]) => `${show(key, inner)} => ${show(item, inner)}`);
    return `Map(${value.size}) ${braced("{", pairs, value.size)}`;
  }
  if (value instanceof Set) {
    const items = [...value].slice(0, itemsMax).map((item) => show(item, inner));
    return `Set(${value.size}) ${braced("{", items, value.size)}`;
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const items = Array.from(value as unknown as ArrayLike<number | bigint>);
    return `${kindOf(value)}(${items.length}) ${braced("[", items.slice(0, itemsMax).map(text), items.length)}`;
  }
  return objectText(value, inner);
}

function objectText(value: object, inner: readonly object[]): string {
  const kind = kindOf(value);
  const custom: unknown = Reflect.get(value, inspected);
  const shown: unknown = typeof custom === "function" ? Reflect.apply(custom, value, []) : value;
  if (typeof shown !== "object" || shown === null) return String(shown);
  const members = Object.entries(shown).map(([key, item]) => `${keyText(key)}: ${show(item, inner)}`);
  const body = braced("{", members, members.length);
  return kind === "Object" ? body : `${kind ?? "[Object: null prototype]"} ${body}`;
}

/** The stack of QuickJS has no first line with name and message, that of V8 has. */
function errorText(error: Error, within: readonly object[]): string {
  const title = String(error);
  const stack = (error.stack ?? "").trimEnd();
  const shown = stack === "" ? title : stack.startsWith(error.name) ? stack : `${title}\n${stack}`;
  return error.cause === undefined ? shown : `${shown}\n[cause]: ${show(error.cause, [...within, error])}`;
}

function kindOf(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== "object" || prototype === null) return undefined;
  const { constructor } = prototype;
  const tag: unknown = Reflect.get(prototype, Symbol.toStringTag);
  return typeof tag === "string" && tag !== "" ? tag : typeof constructor === "function" ? constructor.name : "Object";
}

function braced(open: "[" | "{", items: readonly string[], total: number): string {
  const close = open === "[" ? "]" : "}";
  if (total === 0) return `${open}${close}`;
  const more = total > items.length ? [`... ${total - items.length} more items`] : [];
  return `${open} ${[...items, ...more].join(", ")} ${close}`;
}

const keyText = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key));

/** In the first of the three kinds of quotes that needs no escape, as Node does. */
function quoted(value: string): string {
  const quote = ["'", '"', "`"].find((mark) => !value.includes(mark)) ?? "'";
  const plain = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"');
  return quote + (value.includes(quote) ? plain.replaceAll(quote, `\\${quote}`) : plain) + quote;
}
