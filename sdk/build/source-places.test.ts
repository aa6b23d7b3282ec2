import { SourceMap } from "node:module";
import { expect, test } from "vitest";
import { inSourceTerms } from "./source-places.ts";

// Line 1 of the script: column 1 is line 1, column 1 of ours.ts; column 11 is line 5, column 3 of a.ts; column 21 is
// line 7, column 1 of b.ts.
const map = {
  version: 3,
  file: "script.js",
  sources: ["/sdk/ours.ts", "/app/a.ts", "/app/b.ts"],
  sourcesContent: [],
  names: [],
  mappings: "AAAA,UCIE,UCEF",
  sourceRoot: "",
};
const isOurs = (source: string): boolean => source.startsWith("/sdk/");

test("the map is what the comment says", () => {
  const entries = [0, 10, 20].map((column) => new SourceMap(map).findEntry(0, column));
  expect(entries).toMatchObject([
    { originalSource: "/sdk/ours.ts", originalLine: 0, originalColumn: 0 },
    { originalSource: "/app/a.ts", originalLine: 4, originalColumn: 2 },
    { originalSource: "/app/b.ts", originalLine: 6, originalColumn: 0 },
  ]);
});

const cases: { name: string; text: string[]; says: string[] }[] = [
  {
    name: "QuickJS: frames of the sources, without those around them",
    text: [
      "failed: Error: boom",
      "    at Fs (<input>:1:11)",
      "    at <anonymous> (<input>:1:21)",
      "    at <eval> (<input>:1:1)",
      "    at eval (native)",
      "    at evaluate (componentize-qjs:user.js:15:15)",
      "",
      "it printed:",
      "hi",
    ],
    says: ["failed: Error: boom", "    at /app/a.ts:5:3", "    at /app/b.ts:7:1", "", "it printed:", "hi"],
  },
  {
    name: "StarlingMonkey: the place in the sentence, and frames",
    text: ["function.js:1:15 TypeError: no", "Stack:", "  e@function.js:1:15", "  @function.js:1:22", ""],
    says: ["/app/a.ts:5:3 TypeError: no", "Stack:", "    at /app/a.ts:5:3", "    at /app/b.ts:7:1"],
  },
  {
    name: "two frames of one place are one",
    text: ["no", "    at a (<input>:1:21)", "    at b (<input>:1:21)"],
    says: ["no", "    at /app/b.ts:7:1"],
  },
  {
    name: "what a function says itself stays",
    text: ["Error: it stopped", "    at noon (local time)", "at last"],
    says: ["Error: it stopped", "    at noon (local time)", "at last"],
  },
  {
    name: "an error of ours has no place",
    text: ["Error: no default export", "    at f (<input>:1:3)"],
    says: ["Error: no default export"],
  },
];

test.each(cases)("$name", ({ text, says }) => {
  expect(inSourceTerms(text.join("\n"), map, isOurs)).toBe(says.join("\n"));
});
