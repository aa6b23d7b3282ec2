import { isJsonObject, type JsonObject, textAt } from "@shallop/sdk/api";
import { type Credentials, type CredentialSource, noCredentials } from "@shallop/sdk/image";
import { DockerFault } from "../http/docker-fault.ts";

/** A header holds a password or a token of a few KiB; Node lets in no more than this anyway. */
const headerBytesMax = 16 * 1024;

/**
 * The login that a client sends along, for one registry: `X-Registry-Auth` is JSON in URL-safe base64. It goes to the
 * registry of the image and to no other. @throws DockerFault BAD_REQUEST
 */
export function requestCredentials(header: string | string[] | undefined, registry: string): CredentialSource {
  if (typeof header !== "string" || header === "") return noCredentials;
  if (header.length > headerBytesMax) throw new DockerFault("BAD_REQUEST", "X-Registry-Auth is too long");
  const credentials = credentialsIn(decoded(header));
  if (credentials === undefined) return noCredentials;
  return { credentials: (host) => Promise.resolve(host === registry ? credentials : undefined) };
}

/** Logins of several registries, by host: `X-Registry-Config` of a build. @throws DockerFault BAD_REQUEST */
export function requestLogins(header: string | string[] | undefined): ReadonlyMap<string, Credentials> {
  if (typeof header !== "string" || header === "") return new Map();
  if (header.length > headerBytesMax) throw new DockerFault("BAD_REQUEST", "X-Registry-Config is too long");
  return new Map(
    Object.entries(decoded(header)).flatMap(([host, login]): [string, Credentials][] => {
      const credentials = isJsonObject(login) ? credentialsIn(login) : undefined;
      return credentials === undefined ? [] : [[registryOf(host), credentials]];
    }),
  );
}

export function credentialsIn(login: JsonObject): Credentials | undefined {
  const token = textAt(login, "identitytoken") ?? textAt(login, "IdentityToken") ?? "";
  if (token !== "") return { kind: "identity-token", token };
  const [username, password] = [textAt(login, "username") ?? "", textAt(login, "password") ?? ""];
  if (username !== "") return { kind: "basic", username, password };
  const pair = Buffer.from(textAt(login, "auth") ?? "", "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon < 1 ? undefined : { kind: "basic", username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** `https://index.docker.io/v1/` is what clients call Docker Hub. */
export function registryOf(address: string): string {
  const host = address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

function decoded(header: string): JsonObject {
  try {
    const value: unknown = JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
    if (isJsonObject(value)) return value;
  } catch {
    // Said below, without the header: it holds a password.
  }
  throw new DockerFault("BAD_REQUEST", "the login that came with the request is no JSON object in base64");
}
