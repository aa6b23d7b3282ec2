import { expect, test } from "vitest";
import { type ComponentPlan, parsePlan, planFormat } from "./component-plan.ts";

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
  modules: [{ name: "module0.wasm", bytes: 8 }],
  files: [{ name: "links.json", bytes: 3 }],
};

test("a plan that was written is read", () => {
  expect(parsePlan(JSON.stringify(plan))).toEqual(plan);
});

test.each([
  { what: "cut short", text: JSON.stringify(plan).slice(0, -2) },
  { what: "of another format", text: JSON.stringify({ ...plan, format: planFormat + 1 }) },
  { what: "without modules", text: JSON.stringify({ ...plan, modules: undefined }) },
  { what: "with a module elsewhere", text: JSON.stringify({ ...plan, modules: [{ name: "../x.wasm", bytes: 1 }] }) },
])("a plan that is $what is none", ({ text }) => {
  expect(parsePlan(text)).toBeUndefined();
});
