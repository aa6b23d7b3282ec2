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
    const text = String(url);
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

function partsOfWhole(text: string): Parts | undefined {
  const match = written.exec(text);
  if (match === null) return undefined;
  const parts = new WrittenParts(match);
  const { protocol, port, hostname, pathname } = parts;
  if (port !== "" && (port === defaultPorts[protocol] || Number(port) > portMax)) return undefined;
  return hostname.includes("xn--") || dotSegment.test(pathname) ? undefined : parts;
}

class WrittenParts implements Parts {
  readonly protocol: string;
  readonly username = "";
  readonly password = "";
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;

  // By position, since an interpreter takes four times as long to walk an array by its iterator.
  constructor(match: RegExpExecArray) {
    this.protocol = match[1]!;
    this.hostname = match[2]!;
    this.port = match[3] ?? "";
    this.pathname = match[4] ?? "/";
    this.search = match[5] ?? "";
    this.hash = match[6] ?? "";
  }

  get host(): string {
    return this.port === "" ? this.hostname : `${this.hostname}:${this.port}`;
  }

  get origin(): string {
    return `${this.protocol}//${this.host}`;
  }

  get href(): string {
    return `${this.origin}${this.pathname}${this.search}${this.hash}`;
  }
}
