import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Expansion, expandText, expandWord, expandWords, splitWords } from "./expand.ts";

const values: Readonly<Record<string, string>> = {
  NAME: "world",
  EMPTY: "",
  TWO: "a b",
  PATHS: "/usr/lib/x.tar.gz",
  "1": "one",
};
const expansion = (escape = "\\"): Expansion => ({
  escape,
  lookup: (name) => (Object.hasOwn(values, name) ? values[name] : undefined),
  line: 7,
});

describe("expandWord", () => {
  // As the documentation of Dockerfiles and BuildKit's own table of cases have it.
  test.each([
    ["plain", "plain"],
    ["$NAME", "world"],
    ["${NAME}x", "worldx"],
    ["$NAMEx", ""],
    ["$MISSING", ""],
    ["$1st", "onest"],
    ["a$", "a$"],
    ["$ a", "$ a"],
    ["\\$NAME", "$NAME"],
    ["'$NAME'", "$NAME"],
    ['"$NAME"', "world"],
    ['"\\$NAME \\" \\n"', '$NAME " \\n'],
    ["a'b c'd", "ab cd"],
    ["\\a\\ b", "a b"],
    ["${MISSING:-x}", "x"],
    ["${EMPTY:-x}", "x"],
    ["${EMPTY-x}", ""],
    ["${MISSING-x}", "x"],
    ["${NAME:+x}", "x"],
    ["${EMPTY:+x}", ""],
    ["${EMPTY+x}", "x"],
    ["${MISSING+x}", ""],
    ["${MISSING:-${NAME}!}", "world!"],
    ["${MISSING:-'a}b'}", "a}b"],
    ["${NAME:?gone}", "world"],
    ["${PATHS##*/}", "x.tar.gz"],
    ["${PATHS#*/}", "usr/lib/x.tar.gz"],
    ["${PATHS%.*}", "/usr/lib/x.tar"],
    ["${PATHS%%.*}", "/usr/lib/x"],
    ["${PATHS/l?b/opt}", "/usr/opt/x.tar.gz"],
    ["${PATHS//[/]/_}", "/usr/lib/x.tar.gz"],
    ["${PATHS//\\//_}", "_usr_lib_x.tar.gz"],
    ["${TWO//a/$NAME}", "world b"],
  ])("%s is %s", (text, expected) => {
    expect(expandWord(text, expansion())).toBe(expected);
  });

  test("the other escape leaves backslashes alone", () => {
    expect(expandWord("C:\\dir\\`$x", expansion("`"))).toBe("C:\\dir\\$x");
  });

  test.each(["${", "${}", "${:-x}", "${NAME", "${NAME:x}", "${NAME:#x}", "'open", '"open', "${MISSING:?gone}"])(
    "%s is refused, with the line",
    (text) => {
      expect(() => expandWord(text, expansion())).toThrow(
        expect.objectContaining({ code: "DOCKERFILE_INVALID", message: expect.stringMatching(/^line 7: /) }),
      );
    },
  );

  test("what grows without bound, or stands in itself too deep, is refused", () => {
    const large: Expansion = { ...expansion(), lookup: () => "x".repeat(1000) };
    expect(() => expandWord("$A".repeat(200), large)).toThrow(/grow/);
    const deep = `${"${A:-".repeat(200)}x${"}".repeat(200)}`;
    expect(() => expandWord(deep, { ...expansion(), lookup: () => undefined })).toThrow(/deep/);
    expect(() => expandWord("${A#*x*x*x*x}", { ...expansion(), lookup: () => "y".repeat(5000) })).toThrow(/pattern/);
  });
});

test("blanks part words outside of quotes, those of variables too", () => {
  expect(expandWords(`a $TWO "$TWO" 'c d' $EMPTY e\\ f ""`, expansion())).toEqual([
    "a",
    "a",
    "b",
    "a b",
    "c d",
    "e f",
    "",
  ]);
});

test("words are cut before anything in them is looked at", () => {
  expect(splitWords(`A="b c" D='e f' G=h\\ i  "j`, "\\")).toEqual([`A="b c"`, "D='e f'", "G=h\\ i", `"j`]);
});

test("a text keeps its quotes", () => {
  expect(expandText(`say "$NAME" 'it''s' \\$NAME \\n\n`, expansion())).toBe(`say "world" 'it''s' $NAME \\n\n`);
});

test("text without special characters is itself, whatever it is", () => {
  const plain = fc.string({ unit: "grapheme" }).filter((text) => !/[\\$'"\s]/.test(text));
  fc.assert(
    fc.property(plain, (text) => {
      expect(expandWord(text, expansion())).toBe(text);
    }),
  );
});

test("single quotes keep everything, and a quoted value comes through whole", () => {
  const quotable = fc.string().filter((text) => !text.includes("'"));
  fc.assert(
    fc.property(quotable, (text) => {
      expect(expandWord(`'${text}'`, expansion())).toBe(text);
      expect(expandWords(`"$X"`, { ...expansion(), lookup: () => text })).toEqual([text]);
    }),
  );
});
