import { dig, fieldDescriptions, isScalar, messageType } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { openApiDocument } from "./openapi.ts";

/** What stands in our own kinds and is described elsewhere. */
const foreign: readonly string[] = ["HTTPRouteFilter", "LocalObjectReference"];

/** The fields of a type and of all that it reaches, as `TYPE.FIELD`. */
function fieldsOf(type: string): readonly string[] {
  return [...messageType(type).fields.values()].flatMap((field) => [
    `${type}.${field.name}`,
    ...(isScalar(field.type) || foreign.includes(field.type) ? [] : fieldsOf(field.type)),
  ]);
}

test("every field of our own kinds is described, and nothing else", () => {
  const own = ["TrafficPolicySpec", "ImagePolicySpec"].flatMap(fieldsOf);
  const roots = ["TrafficPolicy.spec", "ImagePolicy.spec"];
  expect(Object.keys(fieldDescriptions).sort()).toEqual([...new Set([...roots, ...own])].sort());
});

test("explain is told them, of fields that are other types, too", () => {
  const document = openApiDocument("apis/shallop.dev/v1");
  const described = (type: string, field: string): unknown =>
    dig(document, "components", "schemas", type, "properties", field, "description");
  expect(described("RateLimit", "requests")).toMatch(/^How many pass/);
  expect(described("TrafficPolicySpec", "jwt")).toMatch(/^Requests need a JSON Web Token/);
});
