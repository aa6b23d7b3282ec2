/**
 * Turns jco's ES module into a classic script whose value is `instantiate`: only scripts can be given V8's code cache,
 * and a script without `import` can load nothing. On the way out goes what costs time and is never wanted: each
 * `_debugLog(...)` call builds an object and reads the environment, hundreds of times a request.
 * @throws Error when the text is not what this version of jco is known to write
 */
export function glueScript(moduleText: string): string {
  if (/^\s*import[\s{"'*]/m.test(moduleText)) throw new Error("the bindings import something of their own");
  const script = withoutCalls(moduleText, "_debugLog")
    .replace(/^[ \t]*export (function|const) /gm, "$1 ")
    .replaceAll("import.meta.url", "undefined");
  if (/^\s*export\b/m.test(script) || !/^function instantiate\(/m.test(script)) {
    throw new Error("the bindings have an unexpected form");
  }
  return `(function () {\n${script}\nreturn instantiate;\n})();\n`;
}

/** Removes each statement `name(...);`. Its arguments are literals and property reads: nothing of the program is lost. */
function withoutCalls(text: string, name: string): string {
  const start = new RegExp(`^[ \\t]*(?:// )?${name}\\(`, "gm");
  const parts: string[] = [];
  let kept = 0;
  for (let match = start.exec(text); match !== null; match = start.exec(text)) {
    const end = endOfCall(text, match.index + match[0].length);
    if (end === undefined) continue;
    parts.push(text.slice(kept, match.index), ";");
    kept = end;
    start.lastIndex = end;
  }
  parts.push(text.slice(kept));
  return parts.join("");
}

/** Index after `);` of the call whose arguments begin at `from`; undefined when it is not a whole statement. */
function endOfCall(text: string, from: number): number | undefined {
  let depth = 1;
  let quote = "";
  for (let index = from; index < text.length; index++) {
    const char = text[index] ?? "";
    if (quote !== "") {
      if (char === "\\") index++;
      else if (char === quote) quote = "";
    } else if (char === "'" || char === '"' || char === "`") quote = char;
    else if (char === "(") depth++;
    else if (char === ")") {
      depth--;
      if (depth === 0) return text[index + 1] === ";" ? index + 2 : undefined;
    }
  }
  return undefined;
}
