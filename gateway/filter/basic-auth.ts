import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "@shallop/sdk/api";

const digest = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();

/**
 * The user of one of the secrets whom an `Authorization` header names, with his password (RFC 7617). Every one of them is
 * compared, in constant time: how long it takes tells nothing.
 */
export function basicUser(authorization: string | undefined, secrets: readonly Secret[]): string | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/=]{1,4096})$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const given = digest(Buffer.from(encoded, "base64").toString("utf8"));
  let admitted: string | undefined;
  for (const { data = {} } of secrets) {
    const [username, password] = [textOf(data["username"]), textOf(data["password"])];
    // A user without a password is nobody.
    if (password === "") continue;
    if (timingSafeEqual(given, digest(`${username}:${password}`))) admitted = username;
  }
  return admitted;
}

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("utf8");
