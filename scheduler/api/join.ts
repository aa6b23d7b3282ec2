import { isIP } from "node:net";
import { ApiFault, isJsonObject, type Json, listAt, nameFault, textAt } from "@shallop/sdk/api";
import { type Clock, errorCode, type Random } from "@shallop/sdk/internal";
import type { JoinGrant, JoinRequest } from "@shallop/sdk/wire";
import { badRequest } from "./faults.ts";
import { type NodeCredentials, secretsEqual } from "./node-credentials.ts";
import type { CertificateAuthority } from "./pki/authority.ts";
import { nodeNameOf, nodeUser } from "./user.ts";

// A P-256 request is under 1 KiB.
const requestBytesMax = 16 * 1024;
// A machine has a few addresses; the certificate carries them all.
const addressesMax = 32;
/** 256 bits. */
const tokenBytes = 32;

export interface JoinSettings {
  readonly authority: CertificateAuthority;
  readonly joinToken: string;
  readonly builtinRegistry: string;
  readonly nodes: NodeCredentials;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Takes a node into the cluster: signs its key, gives it a token. Asked with the join token, a name that is taken is
 * given away anew (the machine was set up again); asked with the node's own token, only for the key that it has.
 * @throws ApiFault Unauthorized, Forbidden, BadRequest
 */
export async function joinNode(settings: JoinSettings, token: string, body: Json): Promise<JoinGrant> {
  const isInvited = isJoinToken(settings.joinToken, token);
  const own = isInvited ? undefined : settings.nodes.authenticate(token);
  if (!isInvited && own === undefined) {
    throw new ApiFault("Unauthorized", "the join token is not this cluster's; `shallop token` prints the right one");
  }
  const request = parseJoinRequest(body);
  if (own !== undefined && nodeNameOf(own) !== request.nodeName) {
    throw new ApiFault("Forbidden", `${own.name} cannot join as node "${request.nodeName}"`);
  }
  const { certificate, keyFingerprint } = await sign(settings, request);
  const known = settings.nodes.find(request.nodeName);
  if (!isInvited && known?.keyFingerprint !== keyFingerprint) {
    throw new ApiFault(
      "Forbidden",
      `node "${request.nodeName}" has joined with another key; to replace it, join with the join token`,
    );
  }
  const granted = await settings.nodes.grant(request.nodeName, settings.random.token(tokenBytes), keyFingerprint);
  return {
    token: granted,
    certificate,
    authority: settings.authority.certificate,
    builtinRegistry: settings.builtinRegistry,
  };
}

/** The whole text, or only the secret in it. */
function isJoinToken(expected: string, token: string): boolean {
  const secret = expected.split(".")[0] ?? "";
  const matches = [secretsEqual(token, expected), secretsEqual(token, secret)];
  return matches.includes(true);
}

async function sign(
  { authority, clock }: JoinSettings,
  request: JoinRequest,
): Promise<{ readonly certificate: string; readonly keyFingerprint: string }> {
  const subject = {
    commonName: nodeUser(request.nodeName).name,
    organization: "system:nodes",
    names: request.addresses,
    usages: ["server", "client"],
  } as const;
  try {
    return await authority.signRequest(request.certificateRequest, subject, clock.wallMs());
  } catch (error) {
    if (errorCode(error) === "REQUEST_INVALID" && error instanceof Error) throw badRequest(error.message);
    throw error;
  }
}

function parseJoinRequest(body: Json): JoinRequest {
  if (!isJsonObject(body)) throw badRequest("the body must be a JoinRequest");
  const nodeName = textAt(body, "nodeName") ?? "";
  const certificateRequest = textAt(body, "certificateRequest") ?? "";
  const addresses = listAt(body, "addresses").filter((address) => typeof address === "string");
  const fault = nameFault("subdomain-1123", nodeName);
  if (fault !== undefined)
    throw badRequest(`nodeName: Invalid value: ${JSON.stringify(nodeName.slice(0, 100))}: ${fault}`);
  if (certificateRequest === "" || certificateRequest.length > requestBytesMax) {
    throw badRequest(`certificateRequest: must be PKCS#10 in PEM of at most ${requestBytesMax} bytes`);
  }
  if (addresses.length > addressesMax) throw badRequest(`addresses: at most ${addressesMax}`);
  for (const address of addresses) {
    if (isIP(address) === 0 && nameFault("subdomain-1123", address.toLowerCase()) !== undefined) {
      throw badRequest(`addresses: ${JSON.stringify(address.slice(0, 100))} is no address and no DNS name`);
    }
  }
  return { nodeName, certificateRequest, addresses };
}
