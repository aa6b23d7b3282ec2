import { URL as WholeURL } from "whatwg-url";
import { URLSearchParams } from "./url-search-params.ts";

/** What can be read from a URL. */
interface Parts {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

/**
 * https://url.spec.whatwg.org/#url-class. The standard's parser is a machine that goes from character to character, which an
 * interpreter does slowly; most URLs of the web are written as the parser would write them, and are only taken apart.
 */
export class URL {
  #now: Parts | WholeURL;
  #searchParams: URLSearchParams | undefined;

  constructor(url: string | URL, base?: string | URL) {
    const text = typeof url === "string" ? url : String(url);
    const baseText = base === undefined ? undefined : String(base);
    this.#now = partsOf(text, baseText) ?? new WholeURL(text, baseText);
  }

  static parse(url: string | URL, base?: string | URL): URL | null {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }

  static canParse(url: string | URL, base?: string | URL): boolean {
    return URL.parse(url, base) !== null;
  }

  get href(): string {
    return this.#now.href;
  }

  set href(value: string) {
    this.#now = new WholeURL(String(value));
    this.#searchChanged();
  }

  get origin(): string {
    return this.#now.origin;
  }

  get protocol(): string {
    return this.#now.protocol;
  }

  set protocol(value: string) {
    this.#whole().protocol = value;
  }

  get username(): string {
    return this.#now.username;
  }

  set username(value: string) {
    this.#whole().username = value;
  }

  get password(): string {
    return this.#now.password;
  }

  set password(value: string) {
    this.#whole().password = value;
  }

  get host(): string {
    return this.#now.host;
  }

  set host(value: string) {
    this.#whole().host = value;
  }

  get hostname(): string {
    return this.#now.hostname;
  }

  set hostname(value: string) {
    this.#whole().hostname = value;
  }

  get port(): string {
    return this.#now.port;
  }

  set port(value: string) {
    this.#whole().port = value;
  }

  get pathname(): string {
    return this.#now.pathname;
  }

  set pathname(value: string) {
    this.#whole().pathname = value;
  }

  get search(): string {
    return this.#now.search;
  }

  set search(value: string) {
    this.#whole().search = value;
    this.#searchChanged();
  }

  get hash(): string {
    return this.#now.hash;
  }

  set hash(value: string) {
    this.#whole().hash = value;
  }

  get searchParams(): URLSearchParams {
    return (this.#searchParams ??= URLSearchParams.ofQuery(this.search.slice(1), (query) => {
      this.#whole().search = query;
    }));
  }

  toString(): string {
    return this.href;
  }

  toJSON(): string {
    return this.href;
  }

  /** For what is changed. */
  #whole(): WholeURL {
    const now = this.#now;
    const whole = now instanceof WholeURL ? now : new WholeURL(now.href);
    this.#now = whole;
    return whole;
  }

  #searchChanged(): void {
    if (this.#searchParams !== undefined) URLSearchParams.reset(this.#searchParams, this.search.slice(1));
  }
}

const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
// A name whose last label begins with a letter is no number in disguise; a digit there is an address, or for the parser.
const host = `(?:[a-z0-9-]+\\.)*[a-z][a-z0-9-]*|(?:${octet}\\.){3}${octet}`;
// Of what the parser leaves as it is. Its own sets are larger, and no two parts have the same one.
const plain = "\\w\\-.~!$&()*+,;=:@%/";
const written = new RegExp(
  `^(https?:)//(${host})(?::([1-9]\\d{0,4}))?(/[${plain}]*)?(\\?[${plain}?]+)?(#[${plain}?]+)?$`,
);
/** `.` and `..` are taken out by the parser, also when they are percent-encoded. */
const dotSegment = /\/(?:\.|%2e)/i;
const defaultPorts: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };
const portMax = 65_535;

/** The parts of a URL that is written as the parser would write it; undefined: of this one the parser knows more. */
function partsOf(text: string, base: string | undefined): Parts | undefined {
  if (base === undefined) return partsOfWhole(text);
  const from = partsOfWhole(base);
  if (from === undefined) return undefined;
  return partsOfWhole(/^\/(?!\/)/.test(text) ? `${from.origin}${text}` : text);
}

let lastText: string | undefined;
let lastParts: WrittenParts | undefined;

/** What was taken apart last is asked for again: of a request the host's side makes a URL, and then the function does. */
function partsOfWhole(text: string): WrittenParts | undefined {
  if (text === lastText) return lastParts;
  const match = written.exec(text);
  const parts = match === null ? undefined : usualParts(match);
  lastText = text;
  lastParts = parts;
  return parts;
}

function usualParts(match: RegExpExecArray): WrittenParts | undefined {
  const port = match[3];
  if (port !== undefined && (port === defaultPorts[match[1]!] || Number(port) > portMax)) return undefined;
  const pathname = match[4];
  const isPlainPath = pathname === undefined || pathname === "/" || !dotSegment.test(pathname);
  return isPlainPath && !match[2]!.includes("xn--") ? new WrittenParts(match) : undefined;
}

/** `new URL(text).href` of an absolute URL. */
export function hrefOf(text: string): string {
  return (partsOfWhole(text) ?? new WholeURL(text)).href;
}

class WrittenParts implements Parts {
  readonly #match: RegExpExecArray;

  constructor(match: RegExpExecArray) {
    this.#match = match;
  }

  get protocol(): string {
    return this.#match[1]!;
  }

  get username(): string {
    return "";
  }

  get password(): string {
    return "";
  }

  get hostname(): string {
    return this.#match[2]!;
  }

  get port(): string {
    return this.#match[3] ?? "";
  }

  get pathname(): string {
    return this.#match[4] ?? "/";
  }

  get search(): string {
    return this.#match[5] ?? "";
  }

  get hash(): string {
    return this.#match[6] ?? "";
  }

  get host(): string {
    return this.port === "" ? this.hostname : `${this.hostname}:${this.port}`;
  }

  get origin(): string {
    return `${this.protocol}//${this.host}`;
  }

  /** Only a path can be missing of what the parser would write. */
  get href(): string {
    const match = this.#match;
    return match[4] === undefined ? `${this.origin}/${this.search}${this.hash}` : match[0];
  }
}
