import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { examineComponent } from "./examine-component.ts";
import { practiceComponent } from "./practice-component.ts";
import { practise } from "./practice.ts";
import { allImports } from "./testing/all-imports.ts";

// `npx vitest run runtime/component/practice -u` writes it again.
test("practice-component.txt is a component that imports all that a guest may", async () => {
  const file = fileURLToPath(new URL("practice-component.txt", import.meta.url));
  await expect(Buffer.from(await allImports()).toString("base64")).toMatchFileSnapshot(file);
  expect(await readFile(file, "latin1")).toBe(Buffer.from(practiceComponent()).toString("base64"));
  const { unmet, found } = await examineComponent(practiceComponent());
  expect({ unmet, isValid: found.isValid }).toEqual({ unmet: [], isValid: true });
});

test("practice ends when there is something to do, and by itself", async () => {
  const asked: boolean[] = [];
  await practise(() => asked.push(true) === 2);
  expect(asked).toHaveLength(2);
  await practise(() => asked.push(false) === 0);
  expect(asked.length).toBeGreaterThan(4);
});
