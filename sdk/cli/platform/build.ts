import { buildProject, type BuiltImage, type EngineChoice, engineNames, type Project } from "../../build/index.ts";
import {
  formatPlatform,
  formatReference,
  type ImageReference,
  readVariants,
  parseManifest,
} from "../../image/index.ts";
import { CliFault } from "../cli-fault.ts";
import { attachFacts, gatherFacts, rememberFacts, withImagePackages } from "../images/build-facts.ts";
import type { Context } from "../context.ts";
import { bytes, table } from "../output/table.ts";
import { buildArgsOf, type BuildFlags, labelsOf, platformsOf } from "./build-flags.ts";
import { buildSource } from "./build-source.ts";
import { buildDockerfiles } from "./dockerfile-builder.ts";
import { type LocalImages, openImages } from "./image-store.ts";
import { pushTo } from "./push.ts";

/** `shallop build`: an image, in the local store under its name. */
export async function build(context: Context, path: string, flags: BuildFlags): Promise<void> {
  await using source = await buildSource(path, flags);
  const { project } = source;
  const images = await openImages(context, flags);
  const reference = images.reference(flags.tag ?? `${project.name}:${project.version}`);
  const beganMs = context.clock.nowMs();
  const built = await buildWith(context, project, images, flags);
  const { index } = built.image;
  await images.tags.set(reference, index, context.clock.wallMs());
  const facts = withImagePackages(await gatherFacts(context, path, flags.sbom), built.fromDockerfiles);
  await rememberFacts(images, index.digest, facts);
  await report(context, images, { reference, built, tookMs: context.clock.nowMs() - beganMs }, flags);
  if (flags.push !== true) return;
  await pushTo(context, images, { reference, target: index });
  await attachFacts(images, { reference, target: index }, facts);
}

async function buildWith(
  context: Context,
  project: Project,
  images: LocalImages,
  flags: BuildFlags,
): Promise<BuiltImage> {
  const engine = engineOf(flags.engine);
  const platforms = platformsOf(flags);
  const buildArgs = buildArgsOf(flags, context);
  const labels = labelsOf(flags);
  const epoch = Number(context.environment["SOURCE_DATE_EPOCH"] ?? 0) * 1000;
  const createdMs = Number.isSafeInteger(epoch) && epoch >= 0 ? epoch : 0;
  const progress = context.progress();
  try {
    return await buildProject(project, images.store, {
      ...{ createdMs, buildArgs, labels, cacheDirectory: context.cacheDirectory, environment: context.environment },
      onStep: (step) => progress.step(step),
      buildDockerfiles: (orders) => buildDockerfiles(context, images, { orders, flags, createdMs }, progress),
      ...(engine === undefined ? {} : { engine }),
      ...(platforms === undefined ? {} : { platforms }),
    });
  } finally {
    progress.done();
  }
}

/** @throws CliFault USAGE */
function engineOf(text: string | undefined): EngineChoice | undefined {
  if (text === undefined || text === "auto") return text;
  const engine = engineNames.find((name) => name === text);
  if (engine !== undefined) return engine;
  throw new CliFault("USAGE", `--engine is ${JSON.stringify(text)}; there are ${engineNames.join(", ")} and auto`);
}

interface Outcome {
  readonly reference: ImageReference;
  readonly built: BuiltImage;
  readonly tookMs: number;
}

async function report(context: Context, images: LocalImages, outcome: Outcome, flags: BuildFlags): Promise<void> {
  const { reference, built, tookMs } = outcome;
  const { index } = built.image;
  const document = parseManifest(await images.store.readBytes(index), index.mediaType, "the index");
  const { variants } = await readVariants({ descriptor: index, document }, (blob) => images.store.readBytes(blob), {
    sizes: true,
  });
  const facts = variants.map((variant) => ({
    platform: `${variant.platform.os}/${variant.platform.architecture}`,
    kind: variant.kind,
    sizeBytes: variant.sizeBytes ?? 0,
  }));
  const engines = built.engines ?? [];
  const steps = built.fromDockerfiles.map(({ manifest, stepCount, cachedCount }) => ({
    platform: manifest.platform === undefined ? "" : formatPlatform(manifest.platform),
    ...{ stepCount, cachedCount },
  }));
  const name = formatReference(reference);
  if (flags.output === "json") {
    const result = {
      reference: name,
      digest: index.digest,
      tookMs: Math.round(tookMs),
      variants: facts,
      engines,
      steps,
    };
    return context.print(JSON.stringify(result, null, 2));
  }
  context.print(`${context.style.green(name)} built in ${(tookMs / 1000).toFixed(1)} s`);
  context.print(`  ${index.digest}`);
  context.print(
    table(
      ["  VARIANT", "PLATFORM", "SIZE"],
      facts.map((fact) => [`  ${fact.kind}`, fact.platform, bytes(fact.sizeBytes)]),
    ),
  );
  if (engines.length === 0) return;
  context.print(
    table(
      ["  ENGINE", "SIZE", "STARTS IN"],
      engines.map(({ engine, sizeBytes, startMs }, place) => [
        `  ${engine}${place === 0 ? " (chosen)" : ""}`,
        bytes(sizeBytes),
        `${startMs.toFixed(1)} ms`,
      ]),
    ),
  );
}
