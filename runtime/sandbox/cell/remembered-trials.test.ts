import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { rememberTrials } from "./remembered-trials.ts";

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-trials-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, "trials.json");
}

test("a trial that has worked is not made again, by the next process either; one of another kind is", async () => {
  const file = await place();
  const made: string[] = [];
  const trial = async (tree: string, ownUser: boolean): Promise<undefined> => {
    made.push(`${tree} ${ownUser}`);
  };
  await rememberTrials(trial, file)("root", true);
  await rememberTrials(trial, file)("root", true);
  await rememberTrials(trial, file)("root", false);
  await rememberTrials(trial, file)("user", false);
  await rememberTrials(trial, file)("root", false);
  expect(made).toEqual(["root true", "root false", "user false"]);
});

test("one that has failed is made again, and so is all when the file is broken", async () => {
  const file = await place();
  let works = false;
  let made = 0;
  const trial = rememberTrials(async () => {
    made++;
    return works ? undefined : "no";
  }, file);
  expect([await trial("user", false), await trial("user", false)]).toEqual(["no", "no"]);
  works = true;
  expect(await trial("user", false)).toBeUndefined();
  expect(await trial("user", false)).toBeUndefined();
  expect(made).toBe(3);
  await writeFile(file, '{"not": "a list"}');
  await trial("user", false);
  expect(made).toBe(4);
  expect(JSON.parse(await readFile(file, "utf8"))).toHaveLength(1);
});

test("where nothing can be written each trial is made", async () => {
  let made = 0;
  const trial = rememberTrials(async () => {
    made++;
    return undefined;
  }, "/nowhere/trials.json");
  await trial("root", true);
  await trial("root", true);
  expect(made).toBe(2);
});
