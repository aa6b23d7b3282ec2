import { lineFault, shown } from "./fault.ts";
import { Glob } from "./glob.ts";

/** Value of a variable; undefined where it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface Expansion {
  /** `\`, or the one of the directive `escape`. */
  readonly escape: string;
  readonly lookup: Lookup;
  /** For messages. */
  readonly line: number;
}

/** What execve(2) takes of one string. Without a bound `ENV A=$A$A` forty times over would fill the memory. */
const expandedMax = 128 * 1024;
/** `${a:-${b:-…}}`: as deep as nobody writes, and far less than the stack. */
const depthMax = 100;
/** Every beginning is tried with every pattern: the product of both, squared, is the time it takes. */
const patternedMax = 1024;
const patternMax = 64;

/**
 * Quotes removed and variables put in, as Docker's builder does it: `$name`, `${name}`, `${name:-word}`, `${name-word}`,
 * `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/pattern/word`, `//pattern/word`.
 * @throws DockerfileFault DOCKERFILE_INVALID
 */
export const expandWord = (text: string, expansion: Expansion): string => new Reader(text, expansion).all().text;

/** As `expandWord`, cut where blanks stand outside of quotes, those of variables among them. */
export const expandWords = (text: string, expansion: Expansion): readonly string[] =>
  new Reader(text, expansion).all().words;

/** Variables put in and quotes left alone, as a shell does it in a heredoc. */
export const expandText = (text: string, expansion: Expansion): string => new Reader(text, expansion).unquoted();

/** The words of a list, as they were before anything is expanded: quotes and escapes stay. */
export function splitWords(text: string, escape: string): readonly string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  let inWord = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quote === "" && /\s/.test(char)) {
      if (inWord) words.push(word);
      [word, inWord] = ["", false];
      continue;
    }
    inWord = true;
    word += char;
    if (char === escape && quote !== "'" && at + 1 < text.length) word += text[++at] ?? "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = "";
  }
  if (inWord) words.push(word);
  return words;
}

/** What was read: as one text, and as words. */
class Result {
  text = "";
  readonly words: string[] = [];
  #word = "";
  #inWord = false;

  /** Text in which blanks part words. */
  add(text: string): void {
    this.text += text;
    for (const char of text) {
      if (!/\s/.test(char)) {
        this.#word += char;
        this.#inWord = true;
      } else this.end();
    }
  }

  /** Text that was quoted. */
  addWhole(text: string): void {
    this.text += text;
    this.#word += text;
    this.#inWord = true;
  }

  end(): void {
    if (this.#inWord) this.words.push(this.#word);
    this.#word = "";
    this.#inWord = false;
  }
}

class Reader {
  readonly #text: string;
  readonly #expansion: Expansion;
  #at = 0;
  #depth = 0;

  constructor(text: string, expansion: Expansion) {
    this.#text = text;
    this.#expansion = expansion;
  }

  all(): Result {
    const result = this.#until("", false);
    result.end();
    return result;
  }

  unquoted(): string {
    const { escape } = this.#expansion;
    let text = "";
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at++] ?? "";
      const next = this.#text[this.#at] ?? "";
      if (char === "$") text += this.#variable();
      else if (char === escape && (next === "$" || next === escape)) {
        text += next;
        this.#at++;
      } else text += char;
      // A file may be longer than a variable; what it grows by may not.
      if (text.length > this.#text.length) this.#checkLength(text.slice(this.#text.length));
    }
    return text;
  }

  #fault(message: string): Error {
    return lineFault(this.#expansion.line, `${message} in ${shown(this.#text)}`);
  }

  /** Reads to `stop`, which is taken too; to the end when it is empty. @param raw escapes stay: what is read is a pattern */
  #until(stop: string, raw: boolean): Result {
    const result = new Result();
    const { escape } = this.#expansion;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at++] ?? "";
      if (char === stop) return result;
      if (char === "'") result.addWhole(this.#singleQuoted());
      else if (char === '"') result.addWhole(this.#doubleQuoted());
      else if (char === "$") result.add(this.#variable());
      else if (char !== escape) result.add(char);
      else if (this.#at < this.#text.length) result.addWhole(`${raw ? escape : ""}${this.#text[this.#at++] ?? ""}`);
      this.#checkLength(result.text);
    }
    if (stop !== "") throw this.#fault(`a ${stop} is missing`);
    return result;
  }

  #checkLength(text: string): void {
    if (text.length > expandedMax) throw this.#fault(`variables grow to more than ${expandedMax} characters`);
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw this.#fault("a ' is never closed");
    const quoted = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return quoted;
  }

  #doubleQuoted(): string {
    const { escape } = this.#expansion;
    let quoted = "";
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at++] ?? "";
      if (char === '"') return quoted;
      const next = this.#text[this.#at] ?? "";
      if (char === "$") quoted += this.#variable();
      else if (char === escape && (next === '"' || next === "$" || next === escape)) {
        quoted += next;
        this.#at++;
      } else quoted += char;
      this.#checkLength(quoted);
    }
    throw this.#fault('a " is never closed');
  }

  /** After a `$`. */
  #variable(): string {
    if (this.#text[this.#at] !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#expansion.lookup(name) ?? "");
    }
    if (++this.#depth > depthMax) throw this.#fault(`variables stand in each other more than ${depthMax} deep`);
    this.#at++;
    const name = this.#name();
    if (name === "") throw this.#fault("${ is followed by no name");
    const value = this.#modified(name);
    this.#depth--;
    return value;
  }

  #name(): string {
    const found =
      /^(?:\d+|[@*#?$!-]|[\p{L}_][\p{L}\p{Nd}_]*)/u.exec(this.#text.slice(this.#at, this.#at + 4096))?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** What follows the name in `${name…}`. */
  #modified(name: string): string {
    let value = this.#expansion.lookup(name);
    let modifier = this.#text[this.#at++];
    if (modifier === "}") return value ?? "";
    if (modifier === "/") return this.#replaced(value ?? "");
    const colon = modifier === ":";
    if (colon) {
      modifier = this.#text[this.#at++];
      if (value === "") value = undefined;
    }
    if (modifier === undefined || !(colon ? "-+?" : "-+?#%").includes(modifier)) {
      throw this.#fault(`\${${name}${colon ? ":" : ""}${modifier ?? ""} is no substitution`);
    }
    const isPattern = modifier === "#" || modifier === "%";
    const longest = isPattern && this.#text[this.#at] === modifier;
    if (longest) this.#at++;
    if (isPattern) return this.#trimmed(value ?? "", { end: modifier === "%", longest });
    const word = this.#until("}", false).text;
    if (modifier === "-") return value ?? word;
    if (modifier === "+") return value === undefined ? "" : word;
    if (value === undefined) throw this.#fault(`${name}: ${word === "" ? "is not set" : word}`);
    return value;
  }

  #replaced(value: string): string {
    const all = this.#text[this.#at] === "/";
    if (all) this.#at++;
    const pattern = this.#pattern("/", value);
    const word = this.#until("}", false).text;
    const chars = Array.from(value);
    let result = "";
    for (let at = 0; at < chars.length;) {
      const end = pattern.ends(chars, at).at(-1) ?? at;
      if (end === at) {
        result += chars[at++] ?? "";
        continue;
      }
      result += word;
      this.#checkLength(result);
      at = end;
      if (!all) return result + chars.slice(at).join("");
    }
    return result;
  }

  #pattern(stop: string, value: string): Glob {
    const pattern = this.#until(stop, true).text;
    if (value.length > patternedMax || pattern.length > patternMax) {
      throw this.#fault(
        `a pattern has at most ${patternMax} characters, and what it is looked for in ${patternedMax}; there are more`,
      );
    }
    return Glob.shell(pattern, this.#expansion.escape);
  }

  /** The value without the shortest or longest match at its beginning or end. */
  #trimmed(value: string, how: { readonly end: boolean; readonly longest: boolean }): string {
    const pattern = this.#pattern("}", value);
    const chars = Array.from(value);
    if (!how.end) {
      const ends = pattern.ends(chars, 0);
      return chars.slice((how.longest ? ends.at(-1) : ends[0]) ?? 0).join("");
    }
    const starts = Array.from({ length: chars.length + 1 }, (_, start) => start);
    const isMatch = (start: number): boolean => pattern.ends(chars, start).at(-1) === chars.length;
    const start = how.longest ? starts.find(isMatch) : starts.findLast(isMatch);
    return chars.slice(0, start ?? chars.length).join("");
  }
}
