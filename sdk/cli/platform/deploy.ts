import {
  annotation,
  autoscalingPrefix,
  type NewObject,
  revisions,
  type RevisionSpec,
  type RevisionTemplate,
  type Service,
  services,
} from "../../api/index.ts";
import type { HttpsClient } from "../../client/index.ts";
import { parseReference } from "../../image/index.ts";
import { rfc3339 } from "../../internal/clock.ts";
import { parseDurationMs } from "../../internal/duration.ts";
import { CliFault } from "../cli-fault.ts";
import { connect, type Context } from "../context.ts";
import { capabilitiesAdded } from "./capabilities.ts";
import { deployProgress } from "./deploy-progress.ts";
import type { DeployFlags } from "./deploy-flags.ts";
import { checkName, pairOf, wholeNumber } from "./flag-values.ts";
import { openImages, registryDefault } from "./image-store.ts";
import { changeService, findService, namespaceOf } from "./services.ts";
import { newWarnings } from "./warnings.ts";

/** `shallop deploy`: writes the Knative Service, and waits until its newest revision answers. */
export async function deploy(context: Context, name: string, flags: DeployFlags): Promise<void> {
  // Here too, so that a slip of the hand makes no revision that can never run.
  parseReference(flags.image, { defaultRegistry: registryDefault });
  checkName(name);
  const template = templateOf(flags);
  const client = await connect(context, flags);
  try {
    const namespace = namespaceOf(flags);
    await showNewCapabilities(context, client, { namespace, name, flags, spec: template.spec });
    const stamp = await stampFor(context, client, { namespace, name, flags });
    const written = await write(client, { namespace, name }, stamped(template, stamp));
    const { service, rollout } = flags.wait
      ? await waitReady(context, client, written)
      : { service: written, rollout: undefined };
    if (flags.output === "json") context.print(JSON.stringify(service, null, 2));
    else if (flags.wait) {
      const url = service.status?.url ?? "an address that is not known yet";
      context.print(`${context.style.green(name)} answers at ${url}`);
      if (rollout !== undefined) context.print(`${rollout}; see how it goes on with: shallop traffic ${name}`);
    } else context.print(`${name} is written; see how it goes with: shallop describe ${name}`);
  } finally {
    client.close();
  }
}

/** What the new revision asks for that the running one did not: read before it is given. */
async function showNewCapabilities(
  context: Context,
  client: HttpsClient,
  target: {
    readonly namespace: string;
    readonly name: string;
    readonly flags: DeployFlags;
    readonly spec: RevisionSpec;
  },
): Promise<void> {
  const service = await findService(client, target.namespace, target.name);
  const ready = service?.status?.latestReadyRevisionName;
  if (ready === undefined || target.flags.output === "json") return;
  const running = await client.get(revisions, target.namespace, ready).catch(() => undefined);
  if (running === undefined) return;
  const images = await openImages(context, target.flags);
  const added = await capabilitiesAdded(images, { running, image: target.flags.image, spec: target.spec });
  if (added.length === 0) return;
  context.print(`${context.style.yellow("new")}: ${target.name} asks for what ${ready} does not`);
  for (const capability of added) context.print(`  + ${capability}`);
}

/** On a template, as `kn` writes it: what is deployed is the same by name only. */
const updatedAt = "client.knative.dev/updateTimestamp";

const stamped = (template: RevisionTemplate, stamp: string | undefined): RevisionTemplate =>
  stamp === undefined
    ? template
    : {
        ...template,
        metadata: { ...template.metadata, annotations: { ...template.metadata?.annotations, [updatedAt]: stamp } },
      };

/**
 * A new stamp when the newest revision has failed, or its image's tag names another image by now: the same words mean
 * something else then. Otherwise the one that is there, so that nothing changes.
 */
async function stampFor(
  context: Context,
  client: HttpsClient,
  { namespace, name, flags }: { readonly namespace: string; readonly name: string; readonly flags: DeployFlags },
): Promise<string | undefined> {
  const service = await findService(client, namespace, name);
  const newest = service?.status?.latestCreatedRevisionName;
  // A revision that was given its name by hand is changed by hand.
  if (service === undefined || newest === undefined || flags.revision !== undefined) return undefined;
  const revision = await client.get(revisions, namespace, newest).catch(() => undefined);
  const ready = revision?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  const running = revision?.status?.containerStatuses?.[0]?.imageDigest;
  const hasMoved = ready === "False" || (running !== undefined && (await isAnother(context, flags, running)));
  return hasMoved ? rfc3339(context.clock.wallMs()) : service.spec.template.metadata?.annotations?.[updatedAt];
}

/** Whether the tag names another image than the one that runs. One that cannot be read is for the platform to judge. */
async function isAnother(context: Context, flags: DeployFlags, running: string): Promise<boolean> {
  try {
    const images = await openImages(context, flags);
    const { digest } = await images.registry.resolve(images.reference(flags.image));
    return !running.endsWith(`@${digest}`);
  } catch {
    return false;
  }
}

async function write(
  client: HttpsClient,
  target: { readonly namespace: string; readonly name: string },
  template: RevisionTemplate,
): Promise<Service> {
  const present = await findService(client, target.namespace, target.name);
  if (present !== undefined) {
    return changeService(client, target, (service) => ({ ...service, spec: { ...service.spec, template } }));
  }
  const fresh: NewObject<Service> = {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: target,
    spec: { template },
  };
  return client.create(services, fresh);
}

const nameValue = "NAME=VALUE";

function templateOf(flags: DeployFlags): RevisionTemplate {
  const scaling = { "min-scale": flags.minScale, "max-scale": flags.maxScale };
  const annotations: Record<string, string> = Object.fromEntries(
    flags.annotation.map((text) => pairOf("--annotation", text, nameValue)),
  );
  for (const [key, value] of Object.entries(scaling)) {
    if (value !== undefined) annotations[`${autoscalingPrefix}${key}`] = value;
  }
  if (flags.preferVariant !== undefined) annotations[annotation.preferVariant] = flags.preferVariant;
  if (flags.onlyVariant !== undefined) annotations[annotation.onlyVariant] = flags.onlyVariant;
  const limits = {
    ...(flags.memory === undefined ? {} : { memory: flags.memory }),
    ...(flags.cpu === undefined ? {} : { cpu: flags.cpu }),
  };
  return {
    metadata: { annotations, ...(flags.revision === undefined ? {} : { name: flags.revision }) },
    spec: {
      containers: [
        {
          image: flags.image,
          env: flags.env.map((text) => pairOf("--env", text, nameValue)).map(([name, value]) => ({ name, value })),
          ...(flags.port === undefined ? {} : { ports: [{ containerPort: wholeNumber("--port", flags.port) }] }),
          ...(Object.keys(limits).length === 0 ? {} : { resources: { limits } }),
        },
      ],
      ...(flags.concurrency === undefined
        ? {}
        : { containerConcurrency: wholeNumber("--concurrency", flags.concurrency) }),
      ...(flags.timeout === undefined ? {} : { timeoutSeconds: seconds("--timeout", flags.timeout) }),
    },
  };
}

function seconds(flag: string, text: string): number {
  const milliseconds = /^\d+$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
  if (milliseconds === undefined || milliseconds % 1000 !== 0) {
    throw new CliFault("USAGE", `${flag} is ${JSON.stringify(text)}; it is written in whole seconds, such as 30s`);
  }
  return milliseconds / 1000;
}

/** Knative gives a revision ten minutes; a person at a terminal wants to know sooner, and can look again. */
const readyTimeoutMs = 120_000;
const pollMs = 100;

/**
 * The service once it answers, and who gets how much where the new revision gets its requests in steps.
 * @throws CliFault NOT_READY with the reason and the last warnings
 */
async function waitReady(
  context: Context,
  client: HttpsClient,
  written: Service,
): Promise<{ readonly service: Service; readonly rollout: string | undefined }> {
  const { namespace = "default", name, generation } = written.metadata;
  const progress = context.progress();
  const untilMs = context.clock.nowMs() + readyTimeoutMs;
  let said = "";
  try {
    for (;;) {
      const service = await client.get(services, namespace, name);
      const now = deployProgress(service, generation);
      if (now.phase === "answers") return { service, rollout: now.rollout };
      if (now.phase === "failed") throw await notReady(client, service, now.why);
      if (context.clock.nowMs() > untilMs)
        throw await notReady(client, service, `not ready within ${readyTimeoutMs / 1000} s`);
      if (now.what !== said) progress.step(`deploying ${name}: ${now.what}`);
      said = now.what;
      await context.clock.sleep(pollMs);
    }
  } finally {
    progress.done();
  }
}

async function notReady(client: HttpsClient, service: Service, why: string): Promise<CliFault> {
  const warnings = await newWarnings(client, service).catch(() => []);
  const lines = warnings.map((warning) => `\n  ${warning}`).join("");
  return new CliFault(
    "NOT_READY",
    `${service.metadata.name} is not ready: ${why}${lines}\nlook further with: shallop describe ${service.metadata.name}`,
  );
}
