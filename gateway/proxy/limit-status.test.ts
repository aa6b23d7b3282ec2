import { limitRows } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { clientText, faultRules, GatewayFault } from "./fault-status.ts";

const breaches = Object.entries(limitRows).flatMap(([name, { breach, says }]) =>
  breach === undefined ? [] : [{ name, ...breach, text: says("5") }],
);

test.each(breaches)("$name: $code is $status, and its sentence reaches the client", ({ code, status, text }) => {
  expect(faultRules[code].status).toBe(status);
  expect(clientText(new GatewayFault(code, text))).toBe(text);
});

test.each([
  ["GUEST_FAILED", "The function failed because of a secret."],
  ["GUEST_MEMORY", "The function\r\nset-cookie: a=b."],
  ["GUEST_MEMORY", "<script>."],
  ["GUEST_MEMORY", `The ${"x".repeat(500)}.`],
  ["REFUSED", "the connection to the pod takes no more requests"],
] as const)("%s with %j: the client is told the table's sentence", (code, message) => {
  expect(clientText(new GatewayFault(code, message))).toBe(faultRules[code].text);
});
