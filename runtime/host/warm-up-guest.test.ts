import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { exposeState } from "../component/core-module/expose-state.ts";
import { planLinks } from "../component/link/plan-links.ts";
import { allImports } from "../component/testing/all-imports.ts";
import { untrueImports } from "../component/wasi-types.ts";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The text of a guest as `warm-up.ts` reads it. */
function prepared(component: Uint8Array): string {
  const { plan, modules, surface } = planLinks(component);
  // No preparation has looked at it: what it calls takes for granted that its types are WASI's.
  expect(untrueImports(surface)).toEqual([]);
  const exposed = modules.map(exposeState);
  const guest = {
    links: { plan, states: exposed.map(({ state }) => state) },
    modules: exposed.map(({ bytes }) => Buffer.from(bytes).toString("base64")),
  };
  return `${JSON.stringify(guest)}\n`;
}

// `npx vitest run runtime/host/warm-up-guest -u` writes them again.
test("warm-up-guest.json is what becomes of warm-up-guest.wat", async () => {
  const component = await parse(await readFile(file("warm-up-guest.wat"), "utf8"));
  await expect(prepared(component)).toMatchFileSnapshot(file("warm-up-guest.json"));
});

test("warm-up-imports.json imports all that a guest may", async () => {
  await expect(prepared(await allImports())).toMatchFileSnapshot(file("warm-up-imports.json"));
});
