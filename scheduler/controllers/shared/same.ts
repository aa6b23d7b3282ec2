import { type Json, jsonEqual } from "@shallop/sdk/api";

/** Equal as JSON: order of members does not matter, one that is undefined is absent. For objects of the API. */
export const same = (a: unknown, b: unknown): boolean => jsonEqual(a as Json | undefined, b as Json | undefined);
