import { annotation, ApiFault, configurations, label, type Revision, revisions } from "../../api/index.ts";
import { type HttpsClient, retryOnConflict } from "../../client/index.ts";
import { formatReference, pinned } from "../../image/index.ts";
import { CliFault } from "../cli-fault.ts";
import { connect, type ConnectionFlags, type Context } from "../context.ts";
import { capabilitiesAdded } from "./capabilities.ts";
import { checkName } from "./flag-values.ts";
import { type LocalImages, openImages } from "./image-store.ts";
import { namespaceOf } from "./services.ts";

/**
 * Approves what a revision asks for: writes the digest that its image has now into the revision, so that the approval is
 * of these bytes and no others.
 * @throws CliFault NOT_FOUND
 */
export async function approve(
  context: Context,
  name: string,
  flags: ConnectionFlags & { readonly output?: string },
): Promise<void> {
  checkName(name);
  const client = await connect(context, flags);
  try {
    const images = await openImages(context, flags);
    const namespace = namespaceOf(flags);
    const revision = await find(client, namespace, name);
    const image = await imageNow(images, revision);
    const running = await runningBeside(client, revision);
    const change = { image: image.text, spec: revision.spec };
    const capabilities = running === undefined ? [] : await capabilitiesAdded(images, { running, ...change });
    await retryOnConflict(async () => {
      const current = await client.get(revisions, namespace, name);
      const annotations = { ...current.metadata.annotations, [annotation.approvedImage]: image.digest };
      return client.update(revisions, { ...current, metadata: { ...current.metadata, annotations } });
    });
    if (flags.output === "json") {
      return context.print(JSON.stringify({ revision: name, image: image.text, capabilities }, null, 2));
    }
    context.print(`${context.style.green(name)} is approved with ${image.text}`);
    for (const capability of capabilities) context.print(`  + ${capability}`);
  } finally {
    client.close();
  }
}

async function find(client: HttpsClient, namespace: string, name: string): Promise<Revision> {
  try {
    return await client.get(revisions, namespace, name);
  } catch (error) {
    if (!(error instanceof ApiFault) || error.code !== "NotFound") throw error;
    const text = `there is no revision ${name} in ${namespace}; shallop describe SERVICE names those that wait`;
    throw new CliFault("NOT_FOUND", text, { cause: error });
  }
}

async function imageNow(
  images: LocalImages,
  revision: Revision,
): Promise<{ readonly text: string; readonly digest: string }> {
  const text = revision.spec.containers[0]?.image ?? "";
  const reference = images.reference(text);
  const { digest } = await images.registry.resolve(reference);
  return { digest, text: formatReference(pinned(reference, digest)) };
}

async function runningBeside(client: HttpsClient, { metadata }: Revision): Promise<Revision | undefined> {
  const namespace = metadata.namespace ?? "default";
  const configuration = await client.get(configurations, namespace, metadata.labels?.[label.configuration] ?? "");
  const name = configuration.status?.latestReadyRevisionName;
  return name === undefined || name === metadata.name ? undefined : client.get(revisions, namespace, name);
}
