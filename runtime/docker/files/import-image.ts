import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { formatReference, storeArchive } from "@shallop/sdk/image";
import { emptyConfig } from "../../build/container-config.ts";
import { fileBytes } from "../../build/disk-bytes.ts";
import { JailedReader } from "../../build/archive-jail.ts";
import { archiveBytesMax } from "../../build/archive-entries.ts";
import { imageArchitecture } from "../../image/choose.ts";
import { LayerBytes } from "../../image/layer-bytes.ts";
import { UnpackJail } from "../../image/unpack-jail.ts";
import type { EventLog } from "../event-log.ts";
import type { Call } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { streaming } from "../http/json-stream.ts";
import type { FilesParts } from "./container-files.ts";
import { storeImage, withInstructions } from "./new-image.ts";

interface Parts extends FilesParts {
  readonly events: EventLog;
}

/** `docker import`: an archive of files, compressed or not, as an image of one layer. @throws DockerFault */
export async function importImage({ library, directory, clock, events }: Parts, call: Call): Promise<void> {
  const from = call.text("fromSrc") ?? "";
  if (from !== "-") throw new DockerFault("UNSUPPORTED", "archives are not fetched: docker import - < FILE");
  const [repo, tag] = [call.text("repo"), call.text("tag")];
  const reference = repo === undefined ? undefined : library.reference(tag === undefined ? repo : `${repo}:${tag}`);
  const config = withInstructions(emptyConfig, call.query.getAll("changes"));
  const [os = "linux", architecture = imageArchitecture(process.arch)] = (call.text("platform") ?? "linux").split("/");
  const platform = { os, architecture };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(directory, "import-"));
  try {
    const archive = join(scratch, "files.tar");
    await pipeline(call.request, bounded, createWriteStream(archive, { mode: 0o600 }));
    // What a node could not unpack is said now.
    const reader = new JailedReader(new UnpackJail(clock, process.getuid?.() === 0), call.signal);
    if ((await reader.index(archive)) === undefined) throw new DockerFault("BAD_REQUEST", "the file is no tar archive");
    await streaming(call, async (stream) => {
      const layer = await storeArchive(
        library.store,
        new LayerBytes("sha256", archiveBytesMax).archive(fileBytes(archive)),
      );
      const description = { platform, config, diffIds: [], history: [] };
      const image = await storeImage(
        library,
        { description, layers: [] },
        {
          layer,
          comment: call.text("message") ?? "Imported from -",
        },
      );
      const name = reference === undefined ? "" : library.familiar(formatReference(reference));
      if (reference !== undefined) await library.tags.set(reference, image, clock.wallMs());
      events.emit("image", "import", image.digest, { name: name === "" ? image.digest : name });
      stream.write({ status: image.digest });
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > archiveBytesMax)
      throw new DockerFault("TOO_MANY", `the archive has more than ${String(archiveBytesMax)} bytes`);
    yield chunk;
  }
}
