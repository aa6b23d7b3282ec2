import { dirname, resolve } from "node:path";
import { dig, isJsonObject, type Json, type JsonObject, listAt, objectAt, textAt } from "../api/json.ts";
import { checkCredentials, type Credentials, invalid, readSecretFile } from "./credentials.ts";

/** Credentials of a kubeconfig, and the namespace that its context names. */
export interface KubeconfigContext {
  readonly credentials: Credentials;
  readonly context: string;
  readonly namespace: string;
}

/**
 * Reads a kubeconfig: the server, its authority, and the user's token or certificate of `context` (default: the file's
 * current one). Programs that make credentials (`exec`, `auth-provider`) and unverified servers are refused.
 * client-go, tools/clientcmd/api/v1. @throws CredentialsFault
 */
export async function readKubeconfig(file: string, context?: string): Promise<KubeconfigContext> {
  const source = await readSecretFile(file, "kubeconfig");
  // Only here: most callers read the JSON file and need no YAML.
  const { parse } = await import("yaml");
  let config: Json;
  try {
    config = parse(source) as Json;
  } catch {
    // Not as the cause: the message quotes the file, which is a secret.
    throw invalid(file, "it is not YAML");
  }
  if (!isJsonObject(config)) throw invalid(file, "it is not a kubeconfig");
  const name = context ?? textAt(config, "current-context") ?? "";
  if (name === "") throw invalid(file, "it has no current-context; name one");
  const chosen = entry(file, config, { list: "contexts", member: "context", name });
  const cluster = entry(file, config, { list: "clusters", member: "cluster", name: textAt(chosen, "cluster") ?? "" });
  const userName = textAt(chosen, "user");
  const user = userName === undefined ? {} : entry(file, config, { list: "users", member: "user", name: userName });
  return {
    context: name,
    namespace: textAt(chosen, "namespace") ?? "default",
    credentials: checkCredentials(await credentialsOf(file, cluster, user), file),
  };
}

interface EntryName {
  readonly list: string;
  readonly member: string;
  readonly name: string;
}

function entry(file: string, config: JsonObject, { list, member, name }: EntryName): JsonObject {
  const found = listAt(config, list).find((candidate) => textAt(candidate, "name") === name);
  if (found === undefined) throw invalid(file, `there is no "${name}" in its ${list}`);
  return objectAt(found, member);
}

async function credentialsOf(file: string, cluster: JsonObject, user: JsonObject): Promise<Credentials> {
  const server = textAt(cluster, "server");
  if (server === undefined) throw invalid(file, "its cluster has no server");
  if (dig(cluster, "insecure-skip-tls-verify") === true) {
    throw invalid(file, "it asks not to verify the server; give certificate-authority-data instead");
  }
  if (dig(user, "exec") !== undefined || dig(user, "auth-provider") !== undefined) {
    throw invalid(file, "its user's credentials come from a program; give a token or a client certificate instead");
  }
  const authority = await pem(file, cluster, "certificate-authority");
  const certificate = await pem(file, user, "client-certificate");
  const key = await pem(file, user, "client-key");
  const tokenFile = textAt(user, "tokenFile");
  const token = tokenFile === undefined ? textAt(user, "token") : (await readBeside(file, tokenFile, "token")).trim();
  return {
    server,
    ...(token === undefined ? {} : { token }),
    ...(authority === undefined ? {} : { authority }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** `NAME-data` is base64 of the PEM and wins over `NAME`, the path of it. */
async function pem(file: string, from: JsonObject, name: string): Promise<string | undefined> {
  const data = textAt(from, `${name}-data`);
  if (data !== undefined && data !== "") {
    const text = Buffer.from(data, "base64").toString("utf8");
    if (!text.includes("-----BEGIN ")) throw invalid(file, `its ${name}-data is not PEM in base64`);
    return text;
  }
  const path = textAt(from, name);
  return path === undefined || path === "" ? undefined : readBeside(file, path, name);
}

/** Paths in a kubeconfig are relative to the kubeconfig. */
const readBeside = (file: string, path: string, what: string): Promise<string> =>
  readSecretFile(resolve(dirname(file), path), what);
