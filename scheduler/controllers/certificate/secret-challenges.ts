import { secrets, secretType } from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import { type Clock, errorCode } from "@shallop/sdk/internal";
import { createHash } from "node:crypto";
import type { Challenge, Challenges } from "./acme-issuer.ts";

const namespace = "kube-system";
// Gateways hear of a Secret within milliseconds, where the machine is not busy.
const heardMs = 2_000;

/** Challenges as Secrets, which every gateway watches. */
export class SecretChallenges implements Challenges {
  readonly #client: ApiClient;
  readonly #clock: Pick<Clock, "sleep">;

  constructor(client: ApiClient, clock: Pick<Clock, "sleep">) {
    this.#client = client;
    this.#clock = clock;
  }

  async put(challenge: Challenge): Promise<void> {
    const { host, token, keyAuthorization } = challenge;
    const data = Object.fromEntries(
      Object.entries({ host, token, keyAuthorization }).map(([key, text]) => [
        key,
        Buffer.from(text).toString("base64"),
      ]),
    );
    const metadata = { namespace, name: nameOf(token) };
    const type = secretType.acmeChallenge;
    await this.#client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata, type, data });
    // The authority asks once, and at once.
    await this.#clock.sleep(heardMs);
  }

  async remove(token: string): Promise<void> {
    try {
      await this.#client.delete(secrets, { namespace, name: nameOf(token) });
    } catch (error) {
      if (errorCode(error) !== "NotFound") throw error;
    }
  }
}

/** Tokens have letters that names have not. */
const nameOf = (token: string): string => `acme-${createHash("sha256").update(token).digest("hex").slice(0, 20)}`;
