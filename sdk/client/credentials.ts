import { readFile } from "node:fs/promises";
import { isJsonObject, type Json } from "../api/json.ts";
import { describeError, Fault } from "../internal/fault.ts";

/** How a client finds the API server, knows it, and is known by it. */
export interface Credentials {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** Bearer token. */
  readonly token?: string;
  /** PEM of the authority that signed the server's certificate; absent: those that the machine trusts. */
  readonly authority?: string;
  /** PEM of a client certificate and its key. */
  readonly certificate?: string;
  readonly key?: string;
}

export type CredentialsFaultCode =
  /** The file is not there, or cannot be read. */
  | "UNREADABLE"
  /** The file says nothing that can be used. */
  | "INVALID";

export class CredentialsFault extends Fault<CredentialsFaultCode> {}

/**
 * Reads a credentials file, as the control plane writes it: JSON of `server`, `token`, `authority`, `certificate`, `key`.
 * @throws CredentialsFault
 */
export async function readCredentials(file: string): Promise<Credentials> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readSecretFile(file, "credentials"));
  } catch (error) {
    if (error instanceof CredentialsFault) throw error;
    // Not as the cause: the message of a JSON error quotes the file, which is a secret.
    throw invalid(file, "it is not JSON");
  }
  if (!isJsonObject(parsed)) throw invalid(file, "it is not a JSON object");
  const members = parsed;
  const optional = (name: "token" | "authority" | "certificate" | "key"): Partial<Credentials> => {
    const value = textMember(file, members[name], name);
    return value === undefined ? {} : { [name]: value };
  };
  const server = textMember(file, parsed["server"], "server");
  if (server === undefined) throw invalid(file, "`server` is missing");
  return checkCredentials(
    { server, ...optional("token"), ...optional("authority"), ...optional("certificate"), ...optional("key") },
    file,
  );
}

/** @throws CredentialsFault INVALID. `file` is where they were read, for the message. */
export function checkCredentials(credentials: Credentials, file: string): Credentials {
  const { server, token, certificate, key } = credentials;
  if (!URL.canParse(server)) throw invalid(file, `\`server\` is no URL: ${server}`);
  // A token over plain HTTP is everybody's.
  if (new URL(server).protocol !== "https:") throw invalid(file, `\`server\` must be https: ${server}`);
  if ((certificate === undefined) !== (key === undefined)) {
    throw invalid(file, "a client certificate and its key come together; one of them is missing");
  }
  // What ends up in a header holds no line break.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) throw invalid(file, "`token` is no bearer token");
  return credentials;
}

/** Reads a file of secrets. @throws CredentialsFault UNREADABLE */
export async function readSecretFile(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new CredentialsFault("UNREADABLE", `cannot read the ${what} in ${file}: ${describeError(error)}`, {
      cause: error,
    });
  }
}

export const invalid = (file: string, what: string): CredentialsFault =>
  new CredentialsFault("INVALID", `cannot use the credentials in ${file}: ${what}`);

function textMember(file: string, value: Json | undefined, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value === "") throw invalid(file, `\`${name}\` is not a text`);
  return value;
}
