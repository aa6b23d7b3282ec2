import type { Json } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { badRequest } from "./faults.ts";

// The deepest object of the API has some twenty levels; what walks over objects recurses, and must not be led deeper.
const depthMax = 100;
// Enough to name them; a body may repeat a million.
const duplicatesMax = 20;

export interface ParsedBody {
  readonly value: Json;
  /** Paths of members that are there twice: `spec.template`. The last one counts. */
  readonly duplicates: readonly string[];
}

/** Parses JSON that somebody sent. @throws ApiFault BadRequest: no JSON, too deep, or a member `__proto__` */
export function parseJson(text: string): ParsedBody {
  const duplicates = new Scan(text).run();
  try {
    const value = JSON.parse(text) as Json;
    return { value, duplicates };
  } catch (error) {
    throw badRequest(`the body is no JSON: ${describeError(error)}`);
  }
}

interface Level {
  /** Names seen in this object; undefined in a list. */
  readonly names: Set<string> | undefined;
  name: string;
  index: number;
}

/**
 * One pass over the text that looks at nesting and at names of members, before any of it becomes an object. It may go
 * wrong in text that is no JSON; JSON.parse refuses that.
 */
class Scan {
  readonly #text: string;
  readonly #levels: Level[] = [];
  readonly #duplicates: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): readonly string[] {
    const text = this.#text;
    for (let at = 0; at < text.length; at++) {
      switch (text.charCodeAt(at)) {
        case 0x22: // "
          at = this.#string(at);
          break;
        case 0x7b: // {
          this.#open({ names: new Set(), name: "", index: 0 });
          break;
        case 0x5b: // [
          this.#open({ names: undefined, name: "", index: 0 });
          break;
        case 0x7d: // }
        case 0x5d: // ]
          this.#levels.pop();
          break;
        case 0x2c: {
          const level = this.#levels.at(-1);
          if (level !== undefined) level.index++;
          break;
        }
        default:
      }
    }
    return this.#duplicates;
  }

  #open(level: Level): void {
    if (this.#levels.length >= depthMax) throw badRequest(`the body is nested deeper than ${depthMax} levels`);
    this.#levels.push(level);
  }

  /** Passes over the string that begins at `start`; returns where it ends. */
  #string(start: number): number {
    const text = this.#text;
    let end = start + 1;
    while (end < text.length && text.charCodeAt(end) !== 0x22) end += text.charCodeAt(end) === 0x5c ? 2 : 1;
    const level = this.#levels.at(-1);
    if (level?.names === undefined || !this.#colonFollows(end + 1)) return end;
    this.#member(level, level.names, text.slice(start, end + 1));
    return end;
  }

  #colonFollows(from: number): boolean {
    let at = from;
    while (this.#text.charCodeAt(at) <= 0x20) at++;
    return this.#text.charCodeAt(at) === 0x3a;
  }

  #member(level: Level, names: Set<string>, literal: string): void {
    const name = literal.includes("\\") ? unescaped(literal) : literal.slice(1, -1);
    if (name === "__proto__") throw badRequest("the body has a member called __proto__");
    level.name = name;
    if (names.has(name) && this.#duplicates.length < duplicatesMax) this.#duplicates.push(this.#path());
    names.add(name);
  }

  #path(): string {
    return this.#levels
      .map((level) => (level.names === undefined ? `[${level.index}]` : `.${level.name}`))
      .join("")
      .slice(1);
  }
}

function unescaped(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
}

/** Holds a value that did not come from JSON text (YAML, protobuf) to the same bounds. @throws ApiFault BadRequest */
export function checkDepth(value: Json | undefined, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth >= depthMax) throw badRequest(`the body is nested deeper than ${depthMax} levels`);
  for (const [name, member] of Object.entries(value)) {
    if (name === "__proto__") throw badRequest("the body has a member called __proto__");
    checkDepth(member, depth + 1);
  }
}
