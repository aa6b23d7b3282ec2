import { expect, test } from "vitest";
import { type ComponentPlan, parsePlan, planFormat, planText } from "./component-plan.ts";

const plan: ComponentPlan = {
  format: planFormat,
  engine: "v8",
  form: "linked",
  componentDigest: "sha256:00",
  componentBytes: 1,
  wasiVersion: "0.2.0",
  purpose: "serve",
  entry: "wasi:http/incoming-handler@0.2.0",
  imports: [],
  exports: [],
  modules: [{ name: "module0.wasm", bytes: 8, sha256: "00" }],
  files: [{ name: "links.json", bytes: 3, sha256: "11" }],
};

test("a plan that was written is read", () => {
  expect(parsePlan(planText(plan))).toEqual(plan);
});

const written = (changes: object): string => planText({ ...plan, ...changes });

test.each([
  { what: "cut short", text: planText(plan).slice(0, -2) },
  { what: "changed afterwards", text: planText(plan).replace("incoming-handler", "outgoing-handler") },
  { what: "without its digest", text: JSON.stringify({ plan }) },
  { what: "of another format", text: written({ format: planFormat + 1 }) },
  { what: "without modules", text: written({ modules: undefined }) },
  { what: "with a module elsewhere", text: written({ modules: [{ name: "../x.wasm", bytes: 1, sha256: "00" }] }) },
  { what: "with a module without a digest", text: written({ modules: [{ name: "x.wasm", bytes: 1 }] }) },
])("a plan that is $what is none", ({ text }) => {
  expect(parsePlan(text)).toBeUndefined();
});
