import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "@shallop/sdk/api";

const digest = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();

/**
 * Whether an `Authorization` header names a user of one of the secrets, with his password (RFC 7617). Every one of them is
 * compared, in constant time: how long it takes tells nothing.
 */
export function admitsBasic(authorization: string | undefined, secrets: readonly Secret[]): boolean {
  const [, encoded] = /^basic +([A-Za-z0-9+/=]{1,4096})$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return false;
  const given = digest(Buffer.from(encoded, "base64").toString("utf8"));
  let admitted = false;
  for (const { data = {} } of secrets) {
    const [username, password] = [textOf(data["username"]), textOf(data["password"])];
    // A user without a password is nobody.
    if (password === "") continue;
    if (timingSafeEqual(given, digest(`${username}:${password}`))) admitted = true;
  }
  return admitted;
}

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("utf8");
