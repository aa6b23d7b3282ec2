import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DockerfileFault } from "@shallop/sdk/wire";
import { dockerfileBytesMax, parseDockerfile, parseTrigger } from "./parse.ts";

const one = (text: string) => parseDockerfile(text).instructions[0];

describe("lines", () => {
  test("comments, blank lines and continuations; keywords in any case", () => {
    const { instructions } = parseDockerfile(`\uFEFF
# a comment
from scratch
RUN a && \\
  # in between

    b   \\
    c

  cmd ["x"]\r
`);
    expect(instructions.map(({ line, text }) => [line, text])).toEqual([
      [3, "FROM scratch"],
      [4, "RUN a && b c"],
      [10, 'CMD ["x"]'],
    ]);
    expect(instructions[1]).toMatchObject({ command: { form: "shell", text: "a &&     b       c" } });
  });

  test("the directive escape changes continuations", () => {
    const { escape, instructions } = parseDockerfile(
      "# syntax=docker/dockerfile:1\n# Escape=`\nFROM x\nRUN a `\n b\\\nCMD c\n",
    );
    expect(escape).toBe("`");
    expect(instructions.map(({ text }) => text)).toEqual(["FROM x", "RUN a b\\", "CMD c"]);
  });

  test("a directive after a comment is a comment", () => {
    expect(parseDockerfile("# x\n# escape=`\nFROM a\n").escape).toBe("\\");
  });

  test("an escaped escape ends its line", () => {
    expect(parseDockerfile("FROM a\nRUN x\\\\\nCMD y\n").instructions).toHaveLength(3);
  });

  test("heredocs: several, quoted, without their tabs", () => {
    const text = `FROM a
COPY <<A <<-"B" /to/
one $X
A
\t\ttwo
\tB
RUN <<EOF
echo 1
echo 2
EOF
RUN cat <<'X' | sh
y
X
`;
    const { instructions } = parseDockerfile(text);
    expect(instructions[1]).toMatchObject({
      sources: [],
      destination: "/to/",
      heredocs: [
        { name: "A", content: "one $X\n", expands: true },
        { name: "B", content: "two\n", expands: false },
      ],
    });
    expect(instructions[2]).toMatchObject({ line: 7, command: { form: "shell", text: "echo 1\necho 2\n" } });
    expect(instructions[3]).toMatchObject({ command: { text: "cat <<'X' | sh\ny\nX\n" } });
  });
});

describe("instructions", () => {
  test.each([
    ["FROM a:1", { kind: "from", image: "a:1" }],
    ["FROM --platform=$BUILDPLATFORM a AS Build", { kind: "from", platform: "$BUILDPLATFORM", name: "build" }],
    ["RUN a b", { kind: "run", command: { form: "shell", text: "a b" } }],
    ['RUN ["a", "b"]', { kind: "run", command: { form: "exec", args: ["a", "b"] } }],
    ["RUN ['a']", { kind: "run", command: { form: "shell", text: "['a']" } }],
    ["RUN [ -f x ]", { kind: "run", command: { form: "shell", text: "[ -f x ]" } }],
    ["CMD a", { kind: "cmd", command: { form: "shell", text: "a" } }],
    ["ENTRYPOINT []", { kind: "entrypoint", command: { form: "exec", args: [] } }],
    [
      'LABEL a=b "c d"=e',
      {
        kind: "label",
        pairs: [
          ["a", "b"],
          ['"c d"', "e"],
        ],
      },
    ],
    [
      "ENV A=1 B='x y'",
      {
        kind: "env",
        pairs: [
          ["A", "1"],
          ["B", "'x y'"],
        ],
      },
    ],
    ["ENV A the rest = it", { kind: "env", pairs: [["A", "the rest = it"]] }],
    ["EXPOSE 80 81/udp", { kind: "expose", ports: "80 81/udp" }],
    ["COPY a b /c/", { kind: "copy", sources: ["a", "b"], destination: "/c/" }],
    ['COPY ["a b", "c d"]', { kind: "copy", sources: ["a b"], destination: "c d" }],
    [
      "COPY --from=0 --chown=1:2 --chmod=755 --link a b",
      { kind: "copy", from: "0", chown: "1:2", chmod: "755", sources: ["a"] },
    ],
    ["ADD --checksum=sha256:ab http://x/y z", { kind: "add", checksum: "sha256:ab", sources: ["http://x/y"] }],
    ['VOLUME ["/a", "/b"]', { kind: "volume", paths: ["/a", "/b"] }],
    ["VOLUME /a /b", { kind: "volume", paths: ["/a", "/b"] }],
    ["USER a:b", { kind: "user", value: "a:b" }],
    ["WORKDIR /a b", { kind: "workdir", value: "/a b" }],
    ["ARG A B=c D=", { kind: "arg", args: [{ name: "A" }, { name: "B", value: "c" }, { name: "D", value: "" }] }],
    ["ONBUILD COPY . /x", { kind: "onbuild", trigger: "COPY . /x" }],
    ["STOPSIGNAL SIGINT", { kind: "stopsignal", value: "SIGINT" }],
    ["MAINTAINER A <a@b>", { kind: "maintainer", value: "A <a@b>" }],
    ['SHELL ["/bin/bash", "-c"]', { kind: "shell", shell: ["/bin/bash", "-c"] }],
    ["HEALTHCHECK NONE", { kind: "healthcheck" }],
    [
      "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2s --start-interval=1s --retries=3 CMD a b",
      {
        ...{ kind: "healthcheck", intervalNs: 90e9, timeoutNs: 500e6, startPeriodNs: 2e9, startIntervalNs: 1e9 },
        ...{ retries: 3, command: { form: "shell", text: "a b" } },
      },
    ],
  ])("%s", (text, expected) => {
    expect(one(text)).toMatchObject(expected);
  });

  test.each([
    ["NOPE x", "DOCKERFILE_INVALID", /no instruction "NOPE"/],
    ["RUN", "DOCKERFILE_INVALID", /says nothing/],
    ["FROM", "DOCKERFILE_INVALID", /says nothing/],
    ["FROM a b", "DOCKERFILE_INVALID", /FROM IMAGE AS NAME/],
    ["FROM a AS 1x", "DOCKERFILE_INVALID", /no name of a stage/],
    ["COPY a", "DOCKERFILE_INVALID", /source and a destination/],
    ["COPY --nope=1 a b", "DOCKERFILE_INVALID", /no flag --nope; it takes --from/],
    ["COPY --from=a --from=b a b", "DOCKERFILE_INVALID", /twice/],
    ["RUN --mount=type=cache,target=/x make", "BUILD_UNSUPPORTED", /BuildKit/],
    ["ENV A", "DOCKERFILE_INVALID", /ENV NAME=VALUE/],
    ["ENV A=1 B", "DOCKERFILE_INVALID", /"B" is not NAME=VALUE/],
    ["ENV =x", "DOCKERFILE_INVALID", /is not NAME=VALUE/],
    ["ARG 1A", "DOCKERFILE_INVALID", /no name of an argument/],
    ["ONBUILD ONBUILD RUN x", "DOCKERFILE_INVALID", /cannot have ONBUILD/],
    ["ONBUILD FROM x", "DOCKERFILE_INVALID", /cannot have FROM/],
    ["SHELL bash", "DOCKERFILE_INVALID", /as a list/],
    ["HEALTHCHECK --interval=x CMD a", "DOCKERFILE_INVALID", /duration/],
    ["HEALTHCHECK --retries=x CMD a", "DOCKERFILE_INVALID", /whole number/],
    ["HEALTHCHECK CMD", "DOCKERFILE_INVALID", /no command/],
    ["HEALTHCHECK OFTEN", "DOCKERFILE_INVALID", /CMD or NONE/],
    ["RUN <<EOF\nx\n", "DOCKERFILE_INVALID", /never ended/],
    ["RUN <<EOF\n#!/bin/x\nEOF\n", "DOCKERFILE_INVALID", /#!/],
    ["# escape=x\nFROM a", "DOCKERFILE_INVALID", /escape takes/],
    ["# escape=`\n# escape=`\nFROM a", "DOCKERFILE_INVALID", /twice/],
    ["__proto__ x", "DOCKERFILE_INVALID", /no instruction/],
  ])("%s is refused", (text, code, message) => {
    expect(() => parseDockerfile(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test("a fault names its line", () => {
    expect(() => parseDockerfile("FROM a\n\n# x\nRUN b \\\n c\nNOPE\n")).toThrow(/^line 6: /);
  });
});

test("files that are too long, in bytes or instructions, are refused at once", () => {
  expect(() => parseDockerfile("#".repeat(dockerfileBytesMax + 1))).toThrow(/more than \d+ bytes/);
  expect(() => parseDockerfile("ENV a b\n".repeat(3000))).toThrow(/more than \d+ instructions/);
  expect(() => parseDockerfile("FROM a\nRUN x\0y")).toThrow(/line 2: there is a NUL/);
  expect(parseDockerfile(`FROM a\nRUN ${"\\\n".repeat(200_000)}x`).instructions).toHaveLength(2);
});

test("a trigger of a base image is read by the same rules", () => {
  expect(parseTrigger("COPY . /app", 3)).toMatchObject({ kind: "copy", line: 3 });
  expect(() => parseTrigger("ONBUILD RUN x", 3)).toThrow(/line 3: ONBUILD cannot have ONBUILD/);
  expect(() => parseTrigger("", 3)).toThrow(DockerfileFault);
});

test("whatever is read, a fault of the parser's own is all that comes out", () => {
  const words = ["FROM", "RUN", "COPY", "a", "<<E", "E", "\\", '"', "'", "--from=", "[", "\n", " ", "$", "#", "="];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }), (parts) => {
      try {
        const { instructions } = parseDockerfile(parts.join(""));
        for (const { line } of instructions) expect(line).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(DockerfileFault);
      }
    }),
    { numRuns: 500 },
  );
});
