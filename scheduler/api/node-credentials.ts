import { createHash, timingSafeEqual } from "node:crypto";
import { isJsonObject, textAt } from "@shallop/sdk/api";
import type { Store } from "../store/store.ts";
import { type Authenticator, nodeUser, type User } from "./user.ts";

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Compares secrets of any length in constant time. */
export const secretsEqual = (a: string, b: string): boolean => timingSafeEqual(sha256(a), sha256(b));

/** A `~` is in no name of a node, and may be in a bearer token (RFC 6750, section 2.1). */
const separator = "~";
const keyPrefix = "/shallop/nodes/";

export interface NodeCredential {
  /** SHA-256 of the token, hex: who reads the store cannot act as the node. */
  readonly tokenHash: string;
  /** SHA-256 of the node's public key, hex. */
  readonly keyFingerprint: string;
}

/** The tokens of nodes, hashed, in the store: they hold over restarts. */
export class NodeCredentials implements Authenticator {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  find(node: string): NodeCredential | undefined {
    const entry = this.#store.get(keyPrefix + node);
    if (entry === undefined) return undefined;
    const record: unknown = JSON.parse(Buffer.from(entry.value).toString());
    if (!isJsonObject(record)) return undefined;
    return { tokenHash: textAt(record, "tokenHash") ?? "", keyFingerprint: textAt(record, "keyFingerprint") ?? "" };
  }

  /** Gives the node a token of its own, and takes the one that it had. `secret` is text of base64url. */
  async grant(node: string, secret: string, keyFingerprint: string): Promise<string> {
    const token = `${node}${separator}${secret}`;
    const record: NodeCredential = { tokenHash: sha256(token).toString("hex"), keyFingerprint };
    const key = keyPrefix + node;
    await this.#store.put(key, Buffer.from(JSON.stringify(record)), this.#store.get(key)?.revision ?? 0);
    return token;
  }

  authenticate(token: string): User | undefined {
    const at = token.indexOf(separator);
    if (at === -1) return undefined;
    const node = token.slice(0, at);
    const known = Buffer.from(this.find(node)?.tokenHash ?? "", "hex");
    const given = sha256(token);
    return known.length === given.length && timingSafeEqual(known, given) ? nodeUser(node) : undefined;
  }
}

/** Tokens that come with the cluster: the administrator's and the gateway's. */
export class FixedTokens implements Authenticator {
  readonly #users: readonly (readonly [hash: Buffer, user: User])[];

  constructor(users: readonly (readonly [token: string, user: User])[]) {
    this.#users = users.map(([token, user]) => [sha256(token), user]);
  }

  authenticate(token: string): User | undefined {
    const given = sha256(token);
    let found: User | undefined;
    // All are compared, so that time says nothing about which one came near.
    for (const [hash, user] of this.#users) if (timingSafeEqual(hash, given)) found = user;
    return found;
  }
}
