import { isJsonObject } from "@shallop/sdk/api";
import { badRequest } from "./faults.ts";

/** Where a list goes on: at which revision, after which key (without the prefix of the list). -1: at today's revision. */
export interface ContinueToken {
  readonly revision: number;
  readonly start: string;
}

// k8s.io/apiserver/pkg/storage/continue.go: the key after `start` is the smallest one greater than it.
const version = "meta.k8s.io/v1";

export const encodeContinue = ({ revision, start }: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: version, rv: revision, start: `${start}\0` })).toString("base64url");

/** @throws ApiFault BadRequest */
export function decodeContinue(text: string): ContinueToken {
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    token = undefined;
  }
  if (!isJsonObject(token) || token["v"] !== version) throw badRequest("continue key is not valid");
  const { rv, start } = token;
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv < -1 || rv === 0) {
    throw badRequest("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  }
  if (typeof start !== "string" || !start.endsWith("\0")) throw badRequest("continue key is not valid: no start key");
  return { revision: rv, start: start.slice(0, -1) };
}
