/** One step of a pattern. `slash`: whether `/` is matched too. */
type Token =
  | { readonly kind: "char"; readonly char: string }
  | { readonly kind: "one"; readonly slash: boolean }
  | { readonly kind: "many"; readonly slash: boolean }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] }
  /** The next step may be left out. */
  | { readonly kind: "fork" }
  /** Anything that ends in a slash. */
  | { readonly kind: "directories" };

/**
 * A pattern of file names or of a shell, run as a finite automaton: time grows with the lengths of pattern and text
 * multiplied, whatever both say. Regular expressions take exponential time for some.
 */
export class Glob {
  readonly #tokens: readonly Token[];

  private constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Of a shell: `*` and `?` match every character. */
  static shell(pattern: string, escape: string): Glob {
    const chars = Array.from(pattern);
    const tokens: Token[] = [];
    for (let at = 0; at < chars.length; at++) {
      const char = chars[at] ?? "";
      if (char === "*") tokens.push({ kind: "many", slash: true });
      else if (char === "?") tokens.push({ kind: "one", slash: true });
      else tokens.push({ kind: "char", char: char === escape ? (chars[++at] ?? char) : char });
    }
    return new Glob(tokens);
  }

  /**
   * Of a path, as Go's `filepath.Match` reads one: `*` and `?` stop at slashes, `[a-z]` and `[^a]` are classes, `\` takes
   * away a meaning. With `deep`, `**` matches any number of directories (`.dockerignore`). Undefined: it is malformed.
   */
  static path(pattern: string, options: { readonly deep?: boolean } = {}): Glob | undefined {
    const chars = Array.from(pattern);
    const tokens: Token[] = [];
    for (let at = 0; at < chars.length; at++) {
      const char = chars[at] ?? "";
      if (char === "*" && options.deep === true && chars[at + 1] === "*") {
        at++;
        if (chars[at + 1] === "/") {
          at++;
          if (at + 1 < chars.length) tokens.push({ kind: "fork" }, { kind: "directories" });
          else tokens.push({ kind: "many", slash: true });
        } else tokens.push({ kind: "many", slash: true });
      } else if (char === "*") tokens.push({ kind: "many", slash: false });
      else if (char === "?") tokens.push({ kind: "one", slash: false });
      else if (char === "[") {
        const found = classAt(chars, at + 1);
        if (found === undefined) return undefined;
        tokens.push(found.token);
        at = found.end;
      } else if (char === "\\") {
        const next = chars[++at];
        if (next === undefined) return undefined;
        tokens.push({ kind: "char", char: next });
      } else tokens.push({ kind: "char", char });
    }
    return new Glob(tokens);
  }

  matches(text: string): boolean {
    const chars = Array.from(text);
    return this.ends(chars, 0).at(-1) === chars.length;
  }

  /** Where matches that begin at `from` can end, the shortest first. */
  ends(chars: readonly string[], from: number): readonly number[] {
    const ends: number[] = [];
    let states = this.#closed(new Set([0]));
    for (let at = from; states.size > 0; at++) {
      if (states.has(this.#tokens.length)) ends.push(at);
      const char = chars[at];
      if (char === undefined) break;
      const next = new Set<number>();
      for (const state of states) this.#step(state, char, next);
      states = this.#closed(next);
    }
    return ends;
  }

  #step(state: number, char: string, next: Set<number>): void {
    const token = this.#tokens[state];
    switch (token?.kind) {
      case undefined:
      case "fork":
        return;
      case "char":
        if (token.char === char) next.add(state + 1);
        return;
      case "one":
        if (token.slash || char !== "/") next.add(state + 1);
        return;
      case "many":
        if (token.slash || char !== "/") next.add(state);
        return;
      case "class":
        if (char !== "/" && token.ranges.some(([low, high]) => low <= char && char <= high) !== token.negated)
          next.add(state + 1);
        return;
      case "directories":
        next.add(state);
        if (char === "/") next.add(state + 1);
    }
  }

  /** With the states that are reached without a character. A set grows while it is walked through. */
  #closed(states: Set<number>): Set<number> {
    for (const state of states) {
      const kind = this.#tokens[state]?.kind;
      if (kind === "many") states.add(state + 1);
      else if (kind === "fork") states.add(state + 1).add(state + 2);
    }
    return states;
  }
}

function classAt(chars: readonly string[], start: number): { readonly token: Token; readonly end: number } | undefined {
  let at = start;
  const negated = chars[at] === "^";
  if (negated) at++;
  const ranges: [string, string][] = [];
  const one = (): string | undefined => {
    if (chars[at] === "\\") at++;
    else if (chars[at] === "-" || chars[at] === "]") return undefined;
    return chars[at++];
  };
  while (at < chars.length) {
    if (chars[at] === "]" && ranges.length > 0) return { token: { kind: "class", negated, ranges }, end: at };
    const low = one();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (chars[at] === "-") {
      at++;
      high = one();
    }
    if (high === undefined) return undefined;
    ranges.push([low, high]);
  }
  return undefined;
}
