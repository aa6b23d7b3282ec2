import { textAt, textsAt } from "@shallop/sdk/api";
import { hasLabel } from "../containers/container-filters.ts";
import type { Containers } from "../containers/containers.ts";
import { type Call, created, type Filters, noContent, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import { directoryBytes } from "./directory-bytes.ts";
import type { VolumeRecord, Volumes } from "./volumes.ts";

interface Parts {
  readonly volumes: Volumes;
  readonly containers: Containers;
}

/** `docker volume`. */
export function volumeRoutes(parts: Parts): Routes {
  const { volumes } = parts;
  return {
    "GET /volumes": (call) =>
      ok({ Volumes: matching(parts, call.filters()).map((one) => volumeJson(volumes, one)), Warnings: null }),
    "POST /volumes/create": (call) => create(parts, call),
    "POST /volumes/prune": (call) => prune(parts, call),
    "GET /volumes/:name": (call) => ok(volumeJson(volumes, volumes.find(call.param("name")))),
    "DELETE /volumes/:name": (call) => remove(parts, call),
  };
}

export const volumeJson = (volumes: Volumes, { name, createdAt, labels, options }: VolumeRecord): object => ({
  CreatedAt: createdAt,
  Driver: "local",
  Labels: labels,
  Mountpoint: volumes.path(name),
  Name: name,
  Options: options,
  Scope: "local",
});

/** Containers that mount a volume, by name. */
export const usersOfVolume = ({ containers }: Pick<Parts, "containers">, { name }: VolumeRecord): readonly string[] =>
  containers
    .all()
    .filter(({ record }) => Object.values(record.volumes).includes(name))
    .map(({ record }) => record.name);

function matching(parts: Parts, filters: Filters): readonly VolumeRecord[] {
  const tests: Readonly<Record<string, (volume: VolumeRecord, value: string) => boolean>> = {
    name: ({ name }, value) => name.includes(value),
    driver: (_, value) => value === "local",
    label: ({ labels }, value) => hasLabel(labels, value),
    dangling: (volume, value) => (value === "true" || value === "1") === (usersOfVolume(parts, volume).length === 0),
  };
  return parts.volumes.all().filter((volume) =>
    [...filters].every(([name, values]) => {
      const test = tests[name];
      if (test === undefined) throw new DockerFault("BAD_REQUEST", `invalid filter '${name.slice(0, 60)}'`);
      const holds = (value: string): boolean => test(volume, value);
      return values.length === 0 || (name === "label" ? values.every(holds) : values.some(holds));
    }),
  );
}

async function create({ volumes }: Parts, call: Call): Promise<Reply> {
  const body = await call.body();
  const driver = textAt(body, "Driver") ?? "";
  if (driver !== "" && driver !== "local")
    throw new DockerFault("UNSUPPORTED", `the volume driver ${JSON.stringify(driver.slice(0, 60))}; there is local`);
  const options = textsAt(body, "DriverOpts");
  if (Object.keys(options).length > 0)
    throw new DockerFault(
      "UNSUPPORTED",
      "options of the volume driver local; a directory of yours is mounted with -v /path:/path",
    );
  const name = textAt(body, "Name") ?? "";
  const { volume } = await volumes.create({ labels: textsAt(body, "Labels"), ...(name === "" ? {} : { name }) });
  return created(volumeJson(volumes, volume));
}

async function remove(parts: Parts, call: Call): Promise<Reply> {
  const name = call.param("name");
  // Forced: that it is not there is what was wanted.
  if (call.flag("force") && !parts.volumes.has(name)) return noContent;
  const volume = parts.volumes.find(name);
  const users = usersOfVolume(parts, volume);
  if (users.length > 0)
    throw new DockerFault("CONFLICT", `remove ${volume.name}: volume is in use - [${users.join(", ")}]`);
  await parts.volumes.remove(volume);
  return noContent;
}

/** Those without a name of somebody's choice; with the filter `all` the others, too. */
async function prune(parts: Parts, call: Call): Promise<Reply> {
  const given = call.filters();
  const isAll = (given.get("all") ?? []).some((value) => value === "true" || value === "1");
  const filters: Filters = new Map([...given].filter(([name]) => name === "label"));
  const unused = matching(parts, filters).filter(
    (volume) => (isAll || volume.madeFor !== undefined) && usersOfVolume(parts, volume).length === 0,
  );
  let SpaceReclaimed = 0;
  for (const volume of unused) {
    SpaceReclaimed += await directoryBytes(parts.volumes.path(volume.name));
    await parts.volumes.remove(volume);
  }
  return ok({ VolumesDeleted: unused.map(({ name }) => name), SpaceReclaimed });
}
