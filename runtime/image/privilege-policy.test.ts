import { expect, test } from "vitest";
import { parsePrivileges } from "./privilege-policy.ts";

test.each([
  ["none", { setIds: false, capabilities: false, devices: false }],
  ["set-ids", { setIds: true, capabilities: false, devices: false }],
  ["capabilities,set-ids", { setIds: true, capabilities: true, devices: false }],
  ["devices", { setIds: false, capabilities: false, devices: true }],
])("--image-privileges=%s", (text, policy) => {
  expect(parsePrivileges(text)).toEqual(policy);
});

test.each(["", "all", "set-ids,", "setIds", "toString"])("%j is refused, and it is said what there is", (text) => {
  expect(() => parsePrivileges(text)).toThrow(/set-ids, capabilities, devices/);
});
