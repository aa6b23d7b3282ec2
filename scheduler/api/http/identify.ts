import { ApiFault } from "@shallop/sdk/api";
import type { Authenticator, User } from "../user.ts";

/** RFC 6750, section 2.1. */
export const bearerToken = (header: string | undefined): string =>
  /^Bearer +([\w.~+/-]+=*) *$/i.exec(header ?? "")?.[1] ?? "";

/** @throws ApiFault Unauthorized */
export function identified(authenticator: Authenticator, token: string): User {
  const user = authenticator.authenticate(token);
  if (user === undefined) throw new ApiFault("Unauthorized", "Unauthorized");
  return user;
}
