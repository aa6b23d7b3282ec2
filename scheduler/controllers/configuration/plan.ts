import {
  annotation,
  apiVersionOf,
  type Configuration,
  configurations,
  label,
  type NewObject,
  type Revision,
  revisions,
} from "@shallop/sdk/api";
import {
  conditionOf,
  conditionsFrom,
  failed,
  type Finding,
  isConditionTrue,
  isTrue,
  unknown,
} from "../shared/conditions.ts";
import { controllerReference, isControlledBy } from "../shared/ownership.ts";
import { same } from "../shared/same.ts";

export interface ConfigurationWorld {
  readonly configuration: Configuration;
  /** Those that it has made. */
  readonly revisions: readonly Revision[];
  /** Any revision of the namespace. */
  readonly revision: (name: string) => Revision | undefined;
  readonly wallMs: number;
}

export interface ConfigurationPlan {
  readonly create: NewObject<Revision> | undefined;
  readonly status: NonNullable<Configuration["status"]>;
}

/** The revision that the newest template asks for, and what the Configuration says of it. */
export function planConfiguration(world: ConfigurationWorld): ConfigurationPlan {
  const { configuration } = world;
  const name = revisionName(configuration);
  const present = ofGeneration(world) ?? world.revision(name);
  if (present === undefined) {
    return { create: newRevision(configuration, name), status: statusOf(world, { name, latest: undefined }) };
  }
  const isOurs = isControlledBy(present, configuration) && same(present.spec, configuration.spec.template.spec);
  if (!isOurs) return { create: undefined, status: statusOf(world, { name, taken: true }) };
  return { create: undefined, status: statusOf(world, { name: present.metadata.name, latest: present }) };
}

/** `NAME-00001`, by generation; or the name that the template gives (BYO name). */
function revisionName({ metadata, spec }: Configuration): string {
  const given = spec.template.metadata?.name ?? "";
  return given === "" ? `${metadata.name}-${String(metadata.generation).padStart(5, "0")}` : given;
}

const generationOf = ({ metadata }: Revision): number => Number(metadata.labels?.[label.configurationGeneration] ?? 0);

const ofGeneration = ({ configuration, revisions }: ConfigurationWorld): Revision | undefined =>
  revisions.find((revision) => generationOf(revision) === configuration.metadata.generation);

function newRevision(configuration: Configuration, name: string): NewObject<Revision> {
  const { metadata, spec } = configuration;
  const { labels = {}, annotations = {} } = spec.template.metadata ?? {};
  const serviceLabels = [label.service, label.serviceUid].flatMap((key) => {
    const value = metadata.labels?.[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  const creator = metadata.annotations?.[annotation.lastModifier];
  return {
    apiVersion: apiVersionOf(revisions),
    kind: "Revision",
    metadata: {
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      // Of the template only: labels and annotations of the Configuration itself are not the revision's.
      labels: {
        ...labels,
        ...Object.fromEntries(serviceLabels),
        [label.configuration]: metadata.name,
        [label.configurationUid]: metadata.uid,
        [label.configurationGeneration]: String(metadata.generation),
        [label.routingState]: "pending",
      },
      annotations: { ...annotations, ...(creator === undefined ? {} : { [annotation.creator]: creator }) },
      ownerReferences: [controllerReference(configurations, configuration)],
    },
    spec: spec.template.spec,
  };
}

type Newest =
  | { readonly name: string; readonly latest: Revision | undefined }
  | { readonly name: string; readonly taken: true };

function statusOf(world: ConfigurationWorld, newest: Newest): NonNullable<Configuration["status"]> {
  const { configuration, wallMs } = world;
  const before = configuration.status;
  const ready = latestReady(world);
  const findings = { Ready: readyFinding(configuration, newest, ready) };
  const created = "taken" in newest ? before?.latestCreatedRevisionName : newest.name;
  return {
    observedGeneration: configuration.metadata.generation,
    conditions: conditionsFrom(findings, before?.conditions, wallMs),
    ...(created === undefined ? {} : { latestCreatedRevisionName: created }),
    ...(ready === undefined ? {} : { latestReadyRevisionName: ready }),
  };
}

/** The newest revision that is ready. One that was the latest and is there stays until a newer one is. */
function latestReady({ configuration, revisions }: ConfigurationWorld): string | undefined {
  const before = configuration.status?.latestReadyRevisionName;
  const current = revisions.find(({ metadata }) => metadata.name === before);
  const newest = revisions
    .filter((revision) => isConditionTrue(revision, "Ready") && revision.metadata.deletionTimestamp === undefined)
    .sort((a, b) => generationOf(b) - generationOf(a))[0];
  if (current === undefined) return newest?.metadata.name ?? before;
  return newest !== undefined && generationOf(newest) >= generationOf(current) ? newest.metadata.name : before;
}

function readyFinding(configuration: Configuration, newest: Newest, latestReadyName: string | undefined): Finding {
  const { name } = newest;
  if ("taken" in newest) {
    return failed(
      "RevisionFailed",
      `Revision creation failed with message: revision "${name}" is there already and is another one; ` +
        "give spec.template.metadata.name a new name, or none",
    );
  }
  const condition = conditionOf(newest.latest, "Ready");
  if (condition?.status === "True") {
    return latestReadyName === name
      ? isTrue
      : unknown("RevisionNotLatest", `revision "${name}" is about to become the latest`);
  }
  if (condition?.status === "False") {
    return failed(
      "RevisionFailed",
      // Knative's own sentence; what is told may be one, too.
      `Revision "${name}" failed with message: ${(condition.message ?? condition.reason ?? "").replace(/\.$/, "")}.`,
    );
  }
  return unknown(
    condition?.reason ?? "RevisionPending",
    condition?.message ?? `Revision "${name}" of Configuration "${configuration.metadata.name}" is not ready yet`,
  );
}
