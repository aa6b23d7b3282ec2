import { describe, expect, test } from "vitest";
import { parseDockerfile } from "./parse.ts";
import { copySource, declaredArgs, planStages } from "./stages.ts";

const platformArgs = { TARGETARCH: "arm64", BUILDPLATFORM: "linux/amd64" };
const plan = (text: string, target?: string, buildArgs: Record<string, string> = {}) =>
  planStages(parseDockerfile(text), { platformArgs, buildArgs }, target);

describe("planStages", () => {
  test("stages by name and number; only those that the target needs", () => {
    const { stages, target } = plan(`FROM scratch AS base
FROM base AS unused
RUN x
FROM alpine AS Tools
FROM base
COPY --from=tools /a /b
COPY --from=2 /c /d
`);
    expect(stages.map(({ index, base }) => [index, base])).toEqual([
      [0, { kind: "scratch" }],
      [2, { kind: "image", reference: "alpine" }],
      [3, { kind: "stage", index: 0 }],
    ]);
    expect(target.index).toBe(3);
  });

  test("a target by name, in any case, or by number", () => {
    const text = "FROM a AS one\nFROM b AS two\nFROM c\n";
    expect(plan(text, "TWO").target.index).toBe(1);
    expect(plan(text, "0").stages).toHaveLength(1);
    expect(() => plan(text, "three")).toThrow(/no stage; there are one, two/);
  });

  test("FROM takes arguments from before it, those that were given, and those of the platform", () => {
    const text = "ARG V=1\nARG NAME=a-${V}\nFROM --platform=$BUILDPLATFORM $NAME-$TARGETARCH AS x\n";
    expect(plan(text).target).toMatchObject({
      platform: "linux/amd64",
      base: { kind: "image", reference: "a-1-arm64" },
    });
    expect(plan(text, undefined, { V: "2" }).target.base).toEqual({ kind: "image", reference: "a-2-arm64" });
  });

  test.each([
    ["", /no FROM/],
    ["RUN x\nFROM a", /line 1: before the first FROM there is only ARG/],
    ["ARG A\nFROM $A", /line 2: FROM "\$A" names no image/],
    ["FROM a AS x\nFROM b AS X", /line 2: there is a stage x already/],
    ["FROM a\nCOPY --from=1 a b", /line 2: --from=1: there is no stage 1 above/],
  ])("%s is refused", (text, message) => {
    expect(() => plan(text)).toThrow(message);
  });

  test("a stage cannot take files of itself or of a later one: such a name is an image's", () => {
    const stages = [
      { index: 0, name: "a" },
      { index: 1, name: "b" },
    ];
    expect(copySource("b", stages, { index: 1, line: 1 })).toEqual({ kind: "image", reference: "b" });
    expect(copySource("a", stages, { index: 1, line: 1 })).toEqual({ kind: "stage", index: 0 });
  });

  test("names of objects' own functions are no arguments", () => {
    expect(() => plan("FROM $constructor")).toThrow(/names no image/);
  });
});

test("declared arguments are those of all stages", () => {
  expect([...declaredArgs(parseDockerfile("ARG A\nFROM x\nARG B=1 C\n"))]).toEqual(["A", "B", "C"]);
});
