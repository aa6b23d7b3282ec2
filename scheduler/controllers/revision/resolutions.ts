import { annotation, type Revision } from "@shallop/sdk/api";
import { type Clock, describeError, errorCode, type Log } from "@shallop/sdk/internal";
import { keyOf } from "../shared/mirror.ts";
import type { ImageResolver } from "./image-resolver.ts";
import { containerName } from "./new-pod.ts";

type ContainerStatuses = NonNullable<NonNullable<Revision["status"]>["containerStatuses"]>;

/** How far the images of a revision are resolved. */
export type Resolution =
  | { readonly phase: "pending" }
  | { readonly phase: "resolved"; readonly containerStatuses: ContainerStatuses }
  /** Tried again at `retryAtMs`, when somebody asks. */
  | { readonly phase: "failed"; readonly code: string; readonly message: string; readonly retryAtMs: number };

// Somebody who sees the failure pushes the image; a minute later at most it runs.
const backoffMsMin = 1_000;
const backoffMsMax = 60_000;

interface Attempt {
  /** What was approved when it was made. */
  approved: string | undefined;
  resolution: Resolution;
  failures: number;
  isRunning: boolean;
}

/** Resolves the images of new revisions to digests, in the background; what failed is tried again. */
export class Resolutions {
  readonly #resolver: ImageResolver;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onDone: (key: string) => void;
  readonly #attempts = new Map<string, Attempt>();
  readonly #stop = new AbortController();

  /** `onDone`: there is news of the revision `key`. */
  constructor(
    resolver: ImageResolver,
    tools: { readonly clock: Clock; readonly log: Log },
    onDone: (key: string) => void,
  ) {
    this.#resolver = resolver;
    this.#clock = tools.clock;
    this.#log = tools.log;
    this.#onDone = onDone;
  }

  /** What is known of `revision`. Starts or repeats the resolution when it is time. */
  of(revision: Revision): Resolution {
    const { containerStatuses } = revision.status ?? {};
    const { uid } = revision.metadata;
    // Once resolved it stays, whatever its tag says later.
    if (containerStatuses !== undefined && containerStatuses.length > 0) {
      this.#attempts.delete(uid);
      return { phase: "resolved", containerStatuses };
    }
    const attempt = this.#attempts.get(uid) ?? {
      resolution: { phase: "pending" },
      failures: 0,
      isRunning: false,
      approved: undefined,
    };
    this.#attempts.set(uid, attempt);
    const { resolution } = attempt;
    const approved = revision.metadata.annotations?.[annotation.approvedImage];
    // Somebody who approves does not wait for the next try.
    const isNewlyApproved = approved !== attempt.approved;
    attempt.approved = approved;
    const isDue =
      resolution.phase === "pending" ||
      isNewlyApproved ||
      (resolution.phase === "failed" && this.#clock.nowMs() >= resolution.retryAtMs);
    if (!attempt.isRunning && isDue && !this.#stop.signal.aborted) void this.#resolve(revision, attempt);
    return resolution;
  }

  /** What was refused may be let in now: it is tried again when it is next asked for. */
  reconsider(): void {
    const nowMs = this.#clock.nowMs();
    for (const attempt of this.#attempts.values()) {
      if (attempt.resolution.phase === "failed") attempt.resolution = { ...attempt.resolution, retryAtMs: nowMs };
    }
  }

  /** The revision is gone. */
  forget(uid: string): void {
    this.#attempts.delete(uid);
  }

  stop(): void {
    this.#stop.abort(new Error("the control plane stops"));
  }

  async #resolve(revision: Revision, attempt: Attempt): Promise<void> {
    attempt.isRunning = true;
    try {
      const containerStatuses = await Promise.all(
        revision.spec.containers.map(async ({ name, image }) => ({
          name: name ?? containerName,
          imageDigest: await this.#resolver.resolve(image, this.#stop.signal, revision),
        })),
      );
      attempt.resolution = { phase: "resolved", containerStatuses };
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      attempt.failures++;
      const retryAtMs =
        this.#clock.nowMs() + Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(attempt.failures - 1, 20));
      const message = describeError(error).slice(0, messageCharsMax);
      attempt.resolution = { phase: "failed", code: errorCode(error) ?? "REGISTRY_FAILED", message, retryAtMs };
      this.#log.debug("an image could not be resolved", { revision: keyOf(revision), error: message });
    } finally {
      attempt.isRunning = false;
    }
    this.#onDone(keyOf(revision));
  }
}

// What registries answer goes into conditions that people read.
const messageCharsMax = 800;
