import type { HomeRevisions } from "./home-revisions.ts";
import type { ImageSource } from "./image-source.ts";
import { imageOf } from "./manifest.ts";
import type { NodePods } from "./node-pods.ts";
import { containersOf } from "./pod-plan.ts";
import type { Work } from "./work.ts";

export interface WantedImagesSettings {
  readonly images: ImageSource;
  readonly work: Work;
  readonly homes: HomeRevisions;
  readonly pods: NodePods;
}

/** The images that this node's pods and homes want; every other may go. */
export class WantedImages {
  readonly #settings: WantedImagesSettings;
  #told = "";

  constructor(settings: WantedImagesSettings) {
    this.#settings = settings;
  }

  /** Says which images are wanted, when that has changed. */
  tell(): void {
    const { images, work } = this.#settings;
    const text = [...this.#references()].sort().join("\n");
    if (text === this.#told) return;
    work.offer("retain images", async () => {
      await images.retain(() => this.#references());
      this.#told = text;
    });
  }

  #references(): ReadonlySet<string> {
    const { homes, pods } = this.#settings;
    return new Set([
      ...homes.all.map(({ revision }) => imageOf(revision) ?? ""),
      ...pods.all.flatMap(({ manifest }) => containersOf(manifest.spec).map(({ image }) => image)),
      ...pods.all.flatMap(({ containers }) => containers.map(({ imageId }) => imageId)),
      // What runs stays, whatever its tag says by now: its layers are mounted.
      ...pods.all.flatMap(({ record }) => (record.chosen === undefined ? [] : [record.chosen.imageId])),
    ]);
  }
}
