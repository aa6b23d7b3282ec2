import { textAt, textsAt } from "@shallop/sdk/api";
import { formatPlatform, parseHistory, type StoredImage } from "@shallop/sdk/image";
import { type ImageFacts, imageFacts } from "./image-facts.ts";
import type { ImageLibrary } from "./image-library.ts";

/** Bytes of everything that the image is made of and that is here. */
const sizeOf = ({ blobs }: StoredImage): number => [...blobs.values()].reduce((sum, size) => sum + size, 0);

/** A build that is the same each time says 1970; people want to know since when it is here. */
function createdMs({ writtenMs }: StoredImage, { json }: ImageFacts): number {
  const said = Date.parse(textAt(json, "created") ?? "");
  return said > 0 ? said : writtenMs;
}

const tagsOf = (library: ImageLibrary, { tags }: StoredImage): readonly string[] =>
  tags.filter(({ name }) => !name.includes("@")).map(({ name }) => library.familiar(name));

function digestsOf(library: ImageLibrary, { tags, target }: StoredImage): readonly string[] {
  const repositories = tags.map(({ name }) => name.replace(/(@.*|:[^:/]+)$/, ""));
  return [...new Set(repositories)].map((repository) => `${library.familiar(repository)}@${target.digest}`);
}

/** An element of `GET /images/json`. */
export async function imageSummary(library: ImageLibrary, image: StoredImage, containers = -1): Promise<object> {
  const facts = await imageFacts(library, image.target);
  return {
    Id: image.target.digest,
    ParentId: "",
    RepoTags: tagsOf(library, image),
    RepoDigests: digestsOf(library, image),
    Created: Math.floor(createdMs(image, facts) / 1000),
    Size: sizeOf(image),
    // Of clients before API 1.44, which reckon with it.
    VirtualSize: sizeOf(image),
    SharedSize: -1,
    Containers: containers,
    Labels: labelsOf(facts),
  };
}

const labelsOf = ({ config, manifest }: ImageFacts): Readonly<Record<string, string>> => ({
  ...manifest?.annotations,
  ...textsAt(config, "Labels"),
});

/** `GET /images/NAME/json`. */
export async function imageInspection(library: ImageLibrary, image: StoredImage): Promise<object> {
  const facts = await imageFacts(library, image.target);
  const { json, config, variant, variants } = facts;
  const rootfs = (json["rootfs"] as { readonly diff_ids?: readonly string[] } | undefined)?.diff_ids ?? [];
  const latest = image.tags
    .map(({ taggedAt }) => taggedAt)
    .sort()
    .at(-1);
  return {
    Id: image.target.digest,
    RepoTags: tagsOf(library, image),
    RepoDigests: digestsOf(library, image),
    Parent: "",
    Comment: commentOf(facts),
    Created: new Date(createdMs(image, facts)).toISOString(),
    Author: textAt(json, "author") ?? "",
    Config: config,
    Architecture: variant?.platform.architecture ?? "",
    ...(variant?.platform.variant === undefined ? {} : { Variant: variant.platform.variant }),
    Os: variant?.platform.os ?? "",
    Size: sizeOf(image),
    // Of clients before API 1.44, which reckon with it.
    VirtualSize: sizeOf(image),
    GraphDriver: { Name: "overlay2", Data: null },
    RootFS: { Type: "layers", Layers: rootfs },
    Metadata: { LastTagTime: latest ?? "0001-01-01T00:00:00Z" },
    Descriptor: image.target,
    Manifests: variants.map((one) => ({
      ID: one.digest,
      Descriptor: one.manifest,
      Available: true,
      Kind: "image",
      ImageData: { Platform: one.platform, Name: formatPlatform(one.platform) },
    })),
  };
}

/** Of the step that was last: `docker commit -m`. */
function commentOf({ json }: ImageFacts): string {
  const steps = json["history"];
  return textAt(json, "comment") ?? (Array.isArray(steps) ? (textAt(steps.at(-1), "comment") ?? "") : "");
}

/** `GET /images/NAME/history`: the newest step first. */
export async function imageHistory(library: ImageLibrary, image: StoredImage): Promise<readonly object[]> {
  const facts = await imageFacts(library, image.target);
  const { manifest, variant } = facts;
  if (manifest === undefined || variant === undefined) return [];
  const whole = Math.floor(createdMs(image, facts) / 1000);
  if (variant.kind === "wasm") {
    const step = { Created: whole, CreatedBy: "WebAssembly component", Size: variant.sizeBytes, Comment: "" };
    return [{ Id: image.target.digest, ...step, Tags: tagsOf(library, image) }];
  }
  const steps = parseHistory(await library.store.readBytes(manifest.config), manifest.layers);
  return steps.toReversed().map(({ created, createdBy, comment, layer }, index) => ({
    Id: index === 0 ? image.target.digest : "<missing>",
    Created: Date.parse(created) > 0 ? Math.floor(Date.parse(created) / 1000) : whole,
    CreatedBy: createdBy,
    Tags: index === 0 ? tagsOf(library, image) : null,
    Size: layer?.size ?? 0,
    Comment: comment,
  }));
}
