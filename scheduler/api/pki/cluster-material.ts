import { X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { apiService, apiServiceNames, isJsonObject, type JsonObject, textAt } from "@shallop/sdk/api";
import type { Clock, Random } from "@shallop/sdk/internal";
import { gatewayServerName } from "@shallop/sdk/wire";
import { CertificateAuthority, type IssuedPair } from "./authority.ts";
import { kubeconfig } from "./kubeconfig.ts";
import { readIfPresent, writePrivateFile } from "./private-file.ts";

export interface ClusterMaterialOptions {
  /** The control plane's data directory; everything is made under it on the first start. */
  readonly dataDir: string;
  /** Names and addresses beside localhost by which clients reach the API server. */
  readonly advertise: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

/** What the control plane proves itself and others with. */
export interface ClusterMaterial {
  readonly authority: CertificateAuthority;
  /** The API server's certificate, new at each start: its names may have changed. */
  readonly server: IssuedPair;
  /** By which agents know the control plane (O=shallop:control-plane). */
  readonly controlPlane: IssuedPair;
  readonly tokens: { readonly admin: string; readonly gateway: string };
  /** `<secret>.<sha256 of the authority's certificate>`. */
  readonly joinToken: string;
  /**
   * Writes `credentials/{admin,gateway,agent}.json`, `kubeconfig` and `join-token` for clients of this machine, each
   * 0600. `server` is the URL that they use: `https://127.0.0.1:6443`. Call it once the server listens.
   */
  writeCredentials(server: string): Promise<void>;
}

/** 256 bits. */
const tokenBytes = 32;

/**
 * Loads the cluster's secrets, and makes on the first start what is missing: the authority (`pki/ca.crt`, `pki/ca.key`),
 * tokens, the gateway's certificate. @throws AuthorityFault AUTHORITY_BROKEN; system errors of files
 */
export async function ensureClusterMaterial(options: ClusterMaterialOptions): Promise<ClusterMaterial> {
  const { dataDir, clock, random } = options;
  const wallMs = clock.wallMs();
  const authority = await ensureAuthority(dataDir, wallMs);
  const files = credentialFiles(dataDir);
  const admin = await readCredentials(files.admin);
  const gateway = await readCredentials(files.gateway);
  const adminToken = textAt(admin, "token") ?? random.token(tokenBytes);
  const gatewayToken = textAt(gateway, "token") ?? random.token(tokenBytes);
  const joinSecret = (await readIfPresent(files.joinToken))?.trim().split(".")[0] ?? random.token(tokenBytes);
  const joinToken = `${joinSecret}.${authority.fingerprint}`;
  const inside = [...apiServiceNames, apiService.address];
  const names = [...new Set(["localhost", "127.0.0.1", "::1", hostname(), ...options.advertise, ...inside])];
  const [server, controlPlane, gatewayPair] = await Promise.all([
    authority.issue({ commonName: "shallop-api", names: names.filter(isCertifiable), usages: ["server"] }, wallMs),
    authority.issue(
      { commonName: "shallop:control-plane", organization: "shallop:control-plane", usages: ["client"] },
      wallMs,
    ),
    presentPair(gateway, authority) ??
      authority.issue(
        {
          commonName: "system:gateway",
          organization: "shallop:gateway",
          names: [gatewayServerName],
          usages: ["client", "server"],
        },
        wallMs,
      ),
  ]);
  return {
    authority,
    server,
    controlPlane,
    tokens: { admin: adminToken, gateway: gatewayToken },
    joinToken,
    writeCredentials: async (url) => {
      const common = { server: url, authority: authority.certificate };
      await writeJson(files.admin, { ...common, token: adminToken });
      await writeJson(files.gateway, { ...common, token: gatewayToken, ...gatewayPair });
      await writeJson(files.agent, { ...common, token: joinToken });
      await writePrivateFile(files.joinToken, `${joinToken}\n`);
      await writePrivateFile(
        join(dataDir, "kubeconfig"),
        kubeconfig({ server: url, authority: authority.certificate, token: adminToken }),
      );
    },
  };
}

const credentialFiles = (dataDir: string) => ({
  admin: join(dataDir, "credentials/admin.json"),
  gateway: join(dataDir, "credentials/gateway.json"),
  agent: join(dataDir, "credentials/agent.json"),
  joinToken: join(dataDir, "join-token"),
});

async function ensureAuthority(dataDir: string, wallMs: number): Promise<CertificateAuthority> {
  const certificateFile = join(dataDir, "pki/ca.crt");
  const keyFile = join(dataDir, "pki/ca.key");
  const [certificate, key] = await Promise.all([readIfPresent(certificateFile), readIfPresent(keyFile)]);
  // The key is written first: a start that was cut off leaves a key alone, which nothing has used yet.
  if (certificate !== undefined) return CertificateAuthority.load(certificate, key ?? "");
  const made = await CertificateAuthority.create(wallMs);
  await writePrivateFile(keyFile, made.key);
  await writePrivateFile(certificateFile, made.authority.certificate);
  return made.authority;
}

/** A machine's name may be one that certificates cannot have. */
const isCertifiable = (name: string): boolean =>
  /^[A-Za-z0-9._:-]{1,253}$/.test(name) && name !== "0.0.0.0" && name !== "::";

async function readCredentials(file: string): Promise<JsonObject> {
  const text = await readIfPresent(file);
  if (text === undefined) return {};
  try {
    const json: unknown = JSON.parse(text);
    return isJsonObject(json) ? json : {};
  } catch {
    // Somebody edited it: made anew.
    return {};
  }
}

/** The certificate and key in a credentials file, if this authority signed them, and other gateways would know by them whom they ask. */
function presentPair(credentials: JsonObject, authority: CertificateAuthority): IssuedPair | undefined {
  const certificate = textAt(credentials, "certificate");
  const key = textAt(credentials, "key");
  const isOurs = textAt(credentials, "authority") === authority.certificate;
  if (!isOurs || certificate === undefined || key === undefined) return undefined;
  // One of an earlier release is a client's only.
  return certificateNames(certificate) ? { certificate, key } : undefined;
}

function certificateNames(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).checkHost(gatewayServerName) !== undefined;
  } catch {
    // Somebody edited it.
    return false;
  }
}

const writeJson = (file: string, value: JsonObject): Promise<void> =>
  writePrivateFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
