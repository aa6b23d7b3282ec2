import { Script } from "node:vm";
import { describe, expect, test } from "vitest";
import { glueScript } from "./glue-script.ts";

const moduleText = `"use components";
export function instantiate(getCoreModule, imports, instantiateCore = WebAssembly.instantiate) {
  const _debugLog = (...args) => { throw new Error("called"); };
  _debugLog('[a(b] enter', {
    text: "it's ); here",
    count: getCount(),
  });
  if (!getCoreModule) getCoreModule = (name) => new URL(name, import.meta.url);
  return imports.answer;
}

export const _util = {
  
}
`;

describe("glueScript", () => {
  test("makes a script whose value is instantiate, without the debug calls", () => {
    const run = new Script(glueScript(moduleText)).runInThisContext() as (...args: unknown[]) => unknown;
    expect(run(() => undefined, { answer: 42 })).toBe(42);
  });

  test.each([
    { what: "an import", text: `import fs from "node:fs";\n${moduleText}` },
    { what: "another export", text: `${moduleText}\nexport { instantiate as other };` },
    { what: "no instantiate", text: "export const a = 1;" },
  ])("refuses a module with $what", ({ text }) => {
    expect(() => glueScript(text)).toThrow();
  });
});
