import { readFile, rename, writeFile } from "node:fs/promises";
import { type Credentials, join, type JoinTarget, readCredentials } from "@shallop/sdk/client";
import { type Clock, describeError, errorCode, type Log } from "@shallop/sdk/internal";
import { requestCertificate } from "./certificate-request.ts";

/** What a node that has joined holds; stored, so that it can start while the control plane is away. */
export interface Membership {
  readonly node: string;
  readonly server: string;
  readonly authority: string;
  /** Bearer token of the user `system:node:NAME`. */
  readonly token: string;
  readonly certificate: string;
  readonly key: string;
  /** Registry host that means the built-in registry. */
  readonly builtinRegistry: string;
}

/** Where the join token comes from: flags, or the file that the control plane writes on its first start. */
export type JoinSource = JoinTarget | { readonly credentialsFile: string };

export interface MembershipSettings {
  /** Where the membership is stored; secret. */
  readonly file: string;
  readonly node: string;
  /** What the certificate shall name. */
  readonly addresses: readonly string[];
  readonly source: JoinSource | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

// `shallop up` starts the control plane at the same moment; it is there within half a second.
const retryMsMin = 50;
// A control plane that comes back after an outage is joined soon.
const retryMsMax = 5_000;

/** The membership of an earlier start. Undefined when there is none that fits. */
export async function storedMembership(settings: MembershipSettings): Promise<Membership | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(settings.file, "utf8"));
    if (isMembership(parsed) && parsed.node === settings.node) return parsed;
    settings.log.warn("the stored membership is not this node's, or cannot be read; the node joins anew");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") settings.log.warn("the stored membership cannot be read; the node joins anew");
  }
  return undefined;
}

/**
 * Joins, and goes on trying until it is done or the signal is aborted. A refusal that will not change is thrown.
 * @throws CredentialsFault INVALID; ApiFault `Unauthorized`, `Forbidden`, `Invalid`, `BadRequest`, `Conflict`
 */
export async function joinCluster(settings: MembershipSettings, signal: AbortSignal): Promise<Membership> {
  for (let tries = 0; ; tries++) {
    try {
      const membership = await joinOnce(settings, signal);
      await store(settings.file, membership);
      return membership;
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error, settings.source)) throw error;
      const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(tries, 10));
      // The first tries of a start beside the control plane are expected to fail.
      if (waitMs > 1000) settings.log.warn("cannot join yet", { error: describeError(error), waitMs });
      await settings.clock.sleep(waitMs, signal);
    }
  }
}

async function joinOnce(settings: MembershipSettings, signal: AbortSignal): Promise<Membership> {
  const target = await targetOf(settings.source);
  const { key, request } = requestCertificate(settings.node, settings.addresses);
  const grant = await join(
    target,
    { nodeName: settings.node, certificateRequest: request, addresses: settings.addresses },
    { clock: settings.clock, signal },
  );
  const { authority, token, certificate, builtinRegistry } = grant;
  return { node: settings.node, server: target.server, authority, token, certificate, key, builtinRegistry };
}

async function targetOf(source: JoinSource | undefined): Promise<JoinTarget> {
  if (source === undefined) throw new Error("no join token is given: --join URL --token T, or --credentials FILE");
  if (!("credentialsFile" in source)) return source;
  const { server, token, authority } = await readCredentials(source.credentialsFile);
  if (token === undefined) throw new Error(`${source.credentialsFile} has no join token`);
  return { server, token, ...(authority === undefined ? {} : { authority }) };
}

/** Trying again would get the same answer. A file that is not there yet may come; one that is half written, too. */
function isFinal(error: unknown, source: JoinSource | undefined): boolean {
  if (source === undefined) return true;
  const code = errorCode(error) ?? "";
  // A token that was typed does not change; one in a file may be written at this moment.
  if (code === "INVALID") return !("credentialsFile" in source);
  return ["Unauthorized", "Forbidden", "Invalid", "BadRequest", "Conflict"].includes(code);
}

async function store(file: string, membership: Membership): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(membership), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export const credentialsOf = ({ server, authority, token }: Membership): Credentials => ({ server, authority, token });

function isMembership(value: unknown): value is Membership {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return ["node", "server", "authority", "token", "certificate", "key", "builtinRegistry"].every(
    (name) => typeof fields.get(name) === "string",
  );
}
