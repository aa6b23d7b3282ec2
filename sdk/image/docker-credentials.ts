import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import { collectBytes } from "./content-store.ts";
import { ImageFault } from "./fault.ts";
import { isObject } from "./json-fields.ts";

export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, to be exchanged at the registry's token server. */
  | { readonly kind: "identity-token"; readonly token: string };

/** Gives the credentials for a registry host, if there are any. */
export interface CredentialSource {
  credentials(host: string): Promise<Credentials | undefined>;
}

export const noCredentials: CredentialSource = { credentials: () => Promise.resolve(undefined) };

/** Configs hold a few entries of 200 bytes; one with a thousand logins is still below this. */
const configBytesMax = 1024 * 1024;
/** A helper may ask a person to unlock a keychain; after this nobody is there. */
const helperTimeoutMs = 60_000;

interface DockerConfig {
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: string | undefined;
}

/**
 * Credentials as the Docker CLI keeps them: `config.json` with `auths`, `credHelpers` and `credsStore`. The file is
 * read at each question, so that a `docker login` counts at once.
 */
export class DockerCredentials implements CredentialSource {
  readonly #path: string;

  /** `directory`: where `config.json` is; `~/.docker` unless `DOCKER_CONFIG` says otherwise. */
  constructor(directory: string = join(homedir(), ".docker")) {
    this.#path = join(directory, "config.json");
  }

  /** @throws ImageFault CREDENTIALS_INVALID when the file or a helper that it names cannot be used */
  async credentials(host: string): Promise<Credentials | undefined> {
    const config = await this.#read();
    if (config === undefined) return undefined;
    const keys = keysOf(host);
    for (const key of keys) {
      const helper = config.credHelpers[key];
      if (typeof helper === "string") return askHelper(helper, key);
    }
    if (config.credsStore !== undefined) {
      for (const key of keys) {
        const found = await askHelper(config.credsStore, key);
        if (found !== undefined) return found;
      }
    }
    for (const key of keys) {
      const entry = config.auths[key];
      const found = isObject(entry) ? fromEntry(entry, `${this.#path}, auths["${key}"]`) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #read(): Promise<DockerConfig | undefined> {
    try {
      const text = await readFile(this.#path, "utf8");
      if (text.length > configBytesMax) throw new Error(`it is longer than ${configBytesMax} bytes`);
      const json = JSON.parse(text) as unknown;
      if (!isObject(json)) throw new Error("it is no JSON object");
      const store = json["credsStore"];
      return {
        auths: isObject(json["auths"]) ? json["auths"] : {},
        credHelpers: isObject(json["credHelpers"]) ? json["credHelpers"] : {},
        credsStore: typeof store === "string" && store !== "" ? store : undefined,
      };
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
      throw new ImageFault("CREDENTIALS_INVALID", `the credential file ${this.#path} cannot be used`, { cause: error });
    }
  }
}

/** The names under which logins to a host are found. Docker Hub has one of its own, from the days of its first API. */
function keysOf(host: string): readonly string[] {
  if (host === "docker.io")
    return ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"];
  return [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`, `http://${host}`];
}

function fromEntry(entry: Readonly<Record<string, unknown>>, where: string): Credentials | undefined {
  const { identitytoken, auth, username, password } = entry;
  if (typeof identitytoken === "string" && identitytoken !== "")
    return { kind: "identity-token", token: identitytoken };
  if (typeof username === "string" && typeof password === "string" && username !== "") {
    return { kind: "basic", username, password };
  }
  if (typeof auth !== "string" || auth === "") return undefined;
  const decoded = Buffer.from(auth, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1) {
    throw new ImageFault("CREDENTIALS_INVALID", `${where}.auth is not user:password in base64; log in again`);
  }
  // Docker pads some passwords with NULs.
  const secret = decoded.slice(colon + 1).replace(/\0+$/, "");
  return { kind: "basic", username: decoded.slice(0, colon), password: secret };
}

/** Runs `docker-credential-<helper> get` with the host on its input. */
async function askHelper(helper: string, key: string): Promise<Credentials | undefined> {
  const program = `docker-credential-${helper}`;
  if (!/^[a-zA-Z0-9._-]+$/.test(helper)) {
    throw new ImageFault("CREDENTIALS_INVALID", `"${helper.slice(0, 60)}" is no name of a credential helper`);
  }
  const { exitCode, output } = await runHelper(program, key);
  if (exitCode !== 0) {
    // The helpers' protocol has no codes; this sentence is it.
    if (/credentials not found/i.test(output)) return undefined;
    throw new ImageFault(
      "CREDENTIALS_INVALID",
      `${program} get ended with ${exitCode}: ${output.trim().slice(0, 200)}`,
    );
  }
  const json = parseAnswer(output, program);
  const { Username: username, Secret: secret } = json;
  if (typeof username !== "string" || typeof secret !== "string") {
    throw new ImageFault("CREDENTIALS_INVALID", `${program} get gave neither Username nor Secret`);
  }
  if (secret === "") return undefined;
  return username === "<token>"
    ? { kind: "identity-token", token: secret }
    : { kind: "basic", username, password: secret };
}

function parseAnswer(output: string, program: string): Readonly<Record<string, unknown>> {
  try {
    const json = JSON.parse(output) as unknown;
    if (isObject(json)) return json;
  } catch {
    // Reported below, without the output: it may hold a secret.
  }
  throw new ImageFault("CREDENTIALS_INVALID", `${program} get did not answer with a JSON object`);
}

async function runHelper(program: string, key: string): Promise<{ exitCode: number; output: string }> {
  const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], timeout: helperTimeoutMs });
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
  exited.catch(() => undefined);
  child.stdin.on("error", () => undefined);
  child.stdin.end(`${key}\n`);
  try {
    const output = await collectBytes(child.stdout as AsyncIterable<Uint8Array>, 64 * 1024, `the answer of ${program}`);
    return { exitCode: await exited, output: new TextDecoder().decode(output) };
  } catch (error) {
    child.kill();
    throw new ImageFault("CREDENTIALS_INVALID", `${program} could not be run; is it installed?`, { cause: error });
  }
}
