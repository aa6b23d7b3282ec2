import type { Revision } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { homeReport, homeReportText, type HomeRevisions } from "./home-revisions.ts";
import { imageOf } from "./manifest.ts";
import type { Notes } from "./notes.ts";
import { isFault, type Reporter } from "./report.ts";
import type { Work } from "./work.ts";

/** A large image over a slow line; a pull that hangs must end some day. */
const prepareTimeoutMs = 600_000;
/** A pull that fails may have brought in gigabytes first; Kubernetes' longest wait for images. */
const prepareRetryMsMax = 300_000;
export interface HomeJobsSettings {
  readonly node: string;
  readonly homes: HomeRevisions;
  readonly work: Work;
  readonly notes: Notes;
  readonly reporter: Reporter;
  /** For one request to the API. */
  apiSignal(): AbortSignal;
  /** The agent is stopping. */
  readonly stopping: AbortSignal;
}

/** What this node does about the revisions that it is a home of, each a job that is tried again until it is done. */
export class HomeJobs {
  readonly #settings: HomeJobsSettings;

  constructor(settings: HomeJobsSettings) {
    this.#settings = settings;
  }

  /** Prepares the revision, and tells what came of it. */
  prepare(key: string, revision: Revision): void {
    const { node, homes, notes, work, stopping } = this.#settings;
    const job = async (): Promise<void> => {
      const signal = AbortSignal.any([stopping, AbortSignal.timeout(prepareTimeoutMs)]);
      const before = homeReportText(homes.get(key), node);
      try {
        const { image, reason } = await homes.prepare(revision, signal);
        const message = `node ${node} will run the ${image.variant} variant: ${reason}`;
        if (before !== homeReportText(homes.get(key), node)) {
          notes.ofRevision(revision, { type: "Normal", reason: "VariantChosen", message });
        }
      } catch (error) {
        const message = `node ${node} cannot prepare ${imageOf(revision) ?? "the image"}: ${describeError(error)}`;
        notes.ofRevision(revision, { type: "Warning", reason: "PrepareFailed", message });
        throw error;
      }
    };
    work.offer(`prepare ${key}`, job, { retryMsMax: prepareRetryMsMax });
  }

  /** Writes to the revision's status how far this node is; nothing, when it is no home any more. */
  report(key: string, revision: Revision): void {
    const { node, homes, reporter, work } = this.#settings;
    work.offer(`report home ${key}`, async () => {
      const isHome = revision.status?.homeNodes?.includes(node) === true;
      const report = isHome ? homeReport(homes.get(key), node) : {};
      if (report === undefined) return;
      try {
        await reporter.home(revision, report, this.#settings.apiSignal());
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    });
  }

  leave(key: string): void {
    const { homes, work } = this.#settings;
    work.offer(`leave ${key}`, () => homes.drop(key));
  }
}
