import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { guestComponent } from "../../host/testing/components.ts";
import type { LoadedComponent } from "../engine.ts";
import { ask, bothEngines, type Question } from "../testing/engines.ts";
import { testContext } from "../wasi/context.fixture.ts";

// A guest that is WASI as it is, and waits for what it reads, under both engines.

let engines: { readonly jco: LoadedComponent; readonly linked: LoadedComponent };

beforeAll(async () => {
  engines = await bothEngines(await readFile((await guestComponent()).path));
});

const long = "a line that is not short\n".repeat(4000);

const questions: readonly Question[] = [
  { target: "/hello" },
  { target: "/hello?x=1" },
  { method: "POST", target: "/echo", body: [] },
  { method: "POST", target: "/echo", body: ["one"] },
  { method: "POST", target: "/echo", body: ["one", "two", "three", "four", "five"] },
  { method: "POST", target: "/echo", body: [long, "", long, "end"] },
  { target: "/env" },
  { target: "/head?q=1", headers: ["x-a", "1", "x-b", "2"] },
  { target: "/status" },
  { target: "/forbidden" },
  { target: "/length" },
  { target: "/say" },
  { target: "/throw" },
  { target: "/silent" },
  { target: "/nowhere" },
];

test.each(questions)("$method $target: $body.length parts", async (question) => {
  const said: string[][] = [];
  const settingsOf = () => {
    const lines: string[] = [];
    said.push(lines);
    return testContext({}, { log: (...args) => void lines.push(JSON.stringify(args)) }).context.settings;
  };
  const theirs = await ask(engines.jco, settingsOf(), question);
  for (let round = 0; round < 3; round++) expect(await ask(engines.linked, settingsOf(), question)).toEqual(theirs);
  for (const lines of said) expect(lines).toEqual(said[0]);
  expect(theirs.outcome).not.toBe("nothing");
});

test("requests that wait at the same time do not meet", async () => {
  const bodies = Array.from({ length: 12 }, (_, index) => [`first of ${index}, `, "then ", `last of ${index}`]);
  const answers = await Promise.all(
    bodies.map((body) =>
      ask(engines.linked, testContext().context.settings, { method: "POST", target: "/echo", body }),
    ),
  );
  expect(answers.map((answer) => answer.body)).toEqual(bodies.map((body) => body.join("")));
});
