import { createHash, X509Certificate } from "node:crypto";
import { request as httpsRequest } from "node:https";
import { ApiFault } from "../api/fault.ts";
import { isJsonObject, textAt } from "../api/json.ts";
import { type Clock, systemClock } from "../internal/clock.ts";
import { describeError } from "../internal/fault.ts";
import type { JoinGrant, JoinRequest } from "../wire/control.ts";
import { checkCredentials, CredentialsFault } from "./credentials.ts";
import { httpsClient } from "./https-client.ts";

/** Where to join, and by what right. */
export interface JoinTarget {
  readonly server: string;
  /** `<secret>.<sha256 of the authority's certificate (DER), hex>` */
  readonly token: string;
  /** PEM, when it is known already; else it is fetched and held against the token. */
  readonly authority?: string;
}

export interface JoinOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

// A certificate has one or two KiB.
const authorityBytesMax = 64 * 1024;
const fetchTimeoutMs = 10_000;

/**
 * Makes a node a member of the cluster. The first connection trusts nobody: it fetches the authority, which is used only
 * if it is the one whose hash is in the token; the secret is sent only over a connection that this authority vouches for.
 * @throws CredentialsFault INVALID when token or authority are not right; ApiFault when the server refuses
 */
export async function join(target: JoinTarget, request: JoinRequest, options: JoinOptions = {}): Promise<JoinGrant> {
  const { server, token } = target;
  const pinned = pinnedHash(token);
  checkCredentials({ server, token }, "the join settings");
  const fetched = target.authority ?? (await fetchAuthority(server, options));
  const authority = verifiedAuthority(fetched, pinned, server);
  using client = httpsClient({ server, token, authority }, { clock: options.clock ?? systemClock });
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const answer = await client.request("POST", "/shallop/v1/join", { body: request, ...signal });
  if (!isGrant(answer)) throw new ApiFault("InternalError", `${server} answered something that is no grant to join`);
  return answer;
}

function pinnedHash(token: string): string {
  const hash = /^[\x21-\x7e]+\.([0-9a-f]{64})$/i.exec(token)?.[1];
  if (hash !== undefined) return hash.toLowerCase();
  throw new CredentialsFault("INVALID", "this is no join token; it has the form <secret>.<64 hexadecimal digits>");
}

/** The one certificate of `pem` that the token vouches for, in PEM; whatever else came along is left out. */
function verifiedAuthority(pem: string, pinned: string, server: string): string {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    throw new CredentialsFault("INVALID", `${server} gave no certificate as its authority`, { cause: error });
  }
  const hash = createHash("sha256").update(certificate.raw).digest("hex");
  if (hash === pinned) return certificate.toString();
  const text = `the authority of ${server} is not the one that the join token names; is it another cluster's token, or is somebody in between?`;
  throw new CredentialsFault("INVALID", text);
}

/** `GET /cacerts`, from whoever answers: nothing of it is believed before its hash was checked. */
function fetchAuthority(server: string, { clock = systemClock, signal }: JoinOptions): Promise<string> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    // No header with a secret goes over this connection, and it is not kept.
    const request = httpsRequest(new URL("/cacerts", server), { agent: false, rejectUnauthorized: false });
    const stop = (error: unknown): void => {
      const text = `cannot fetch the authority of ${server}: ${describeError(error)}`;
      settle(() => reject(signal?.aborted === true ? signal.reason : unavailable(text, error)));
      request.destroy();
    };
    const abort = (): void => stop(signal?.reason);
    const timer = clock.after(fetchTimeoutMs, () => stop(new Error(`no answer within ${fetchTimeoutMs} ms`)));
    const settle = (how: () => void): void => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
      how();
    };
    signal?.addEventListener("abort", abort, { once: true });
    request.once("error", stop);
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let byteCount = 0;
      response.on("data", (chunk: Buffer) => {
        byteCount += chunk.length;
        if (byteCount > authorityBytesMax) stop(new Error(`it is larger than ${authorityBytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.once("error", stop);
      response.once("end", () => {
        if (response.statusCode === 200) settle(() => resolve(Buffer.concat(chunks).toString("utf8")));
        else stop(new Error(`the server answered ${response.statusCode}`));
      });
    });
    request.end();
  });
}

const unavailable = (text: string, cause: unknown): ApiFault => new ApiFault("ServiceUnavailable", text, {}, { cause });

function isGrant(value: unknown): value is JoinGrant {
  if (!isJsonObject(value)) return false;
  return ["token", "certificate", "authority", "builtinRegistry"].every(
    (name) => typeof textAt(value, name) === "string",
  );
}
