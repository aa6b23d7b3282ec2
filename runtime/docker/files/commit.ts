import { formatReference } from "@shallop/sdk/image";
import { readImageDescription } from "../../build/container-config.ts";
import type { Containers } from "../containers/containers.ts";
import { parseCreateBody } from "../containers/create-body.ts";
import type { EventLog } from "../event-log.ts";
import { type Call, created, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import { ContainerFiles, type FilesParts } from "./container-files.ts";
import { configOfContainer, storeImage, withInstructions } from "./new-image.ts";

interface Parts extends FilesParts {
  readonly containers: Containers;
  readonly events: EventLog;
}

/** `docker commit`: what a container has changed, as a layer of a new image. */
export function commitRoutes(parts: Parts): Routes {
  return { "POST /commit": (call) => commit(parts, call) };
}

async function commit(parts: Parts, call: Call): Promise<Reply> {
  const { library, containers, events, clock } = parts;
  const container = containers.find(call.text("container") ?? "");
  const { record } = container;
  const [repo, tag] = [call.text("repo"), call.text("tag")];
  const reference = repo === undefined ? undefined : library.reference(tag === undefined ? repo : `${repo}:${tag}`);
  if (reference?.digest !== undefined)
    throw new DockerFault("BAD_REQUEST", "refusing to create a tag with a digest reference");
  await using files = await ContainerFiles.open(parts, record, call.signal);
  const { layers, config } = await files.image();
  const base = readImageDescription(await library.store.readBytes(config), "the image's config");
  const request = parseCreateBody(record.body);
  const texts = call.query.getAll("changes");
  const author = call.text("author");
  const description = {
    ...base,
    ...(author === undefined ? {} : { author }),
    config: withInstructions(configOfContainer(base.config, request), texts),
  };
  const [program, comment] = [[...(request.entrypoint ?? []), ...(request.cmd ?? [])].join(" "), call.text("comment")];
  const image = await storeImage(
    library,
    { description, layers },
    {
      layer: await files.changes(),
      ...(program === "" ? {} : { created_by: program }),
      ...(comment === undefined ? {} : { comment }),
    },
  );
  files.keepChanges();
  const name = reference === undefined ? "" : library.familiar(formatReference(reference));
  if (reference !== undefined) await library.tags.set(reference, image, clock.wallMs());
  containers.tell(container, "commit", { imageID: image.digest, imageRef: name });
  if (name !== "") events.emit("image", "tag", image.digest, { name });
  return created({ Id: image.digest });
}
