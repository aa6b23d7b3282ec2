import { formatPlatform, type Digest, ImageFault, parseImageConfig, type Platform } from "@shallop/sdk/image";

/** Docker's health check, times in nanoseconds. */
interface HealthcheckConfig {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** What of an image's config instructions change. Image specification, "Image Configuration", and Docker's additions. */
export interface ContainerConfig {
  readonly user: string;
  readonly exposedPorts: readonly string[];
  /** `NAME=value`, each name once, in the order of their first mention. */
  readonly env: readonly string[];
  /** Undefined and empty are different: an empty one takes the base's away. */
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly volumes: readonly string[];
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly healthcheck?: HealthcheckConfig;
  /** Of the shell form; `/bin/sh -c` when absent. */
  readonly shell?: readonly string[];
  readonly onBuild: readonly string[];
}

export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

export interface ImageDescription {
  readonly platform: Platform;
  readonly author?: string;
  readonly config: ContainerConfig;
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** What a shell has when nobody says otherwise. */
export const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Of `FROM scratch`, as Docker's. */
export const emptyConfig: ContainerConfig = {
  user: "",
  exposedPorts: [],
  env: [defaultPath],
  volumes: [],
  workingDir: "",
  labels: {},
  onBuild: [],
};

/** Images with more have been through thousands of builds; only the sum of it all matters, and that is bounded too. */
const listMax = 10_000;

/** Reads the config of a base image from hostile bytes. @throws ImageFault MANIFEST_INVALID */
export function readImageDescription(bytes: Uint8Array, what: string): ImageDescription {
  // Checks all that it knows, the depth and the size among it.
  const checked = parseImageConfig(bytes, what);
  const raw: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const json = record(raw);
  const config = record(json["config"]);
  const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
  const history = Array.isArray(json["history"]) ? json["history"] : [];
  if (history.length > listMax)
    throw new ImageFault("MANIFEST_INVALID", `${what} has more than ${listMax} entries of history`);
  const healthcheck = healthcheckOf(config["Healthcheck"]);
  return {
    platform: checked.platform,
    ...defined({ author: text(json["author"]) }),
    config: {
      user: checked.user,
      exposedPorts: checked.exposedPorts,
      env: checked.env,
      volumes: Object.keys(record(config["Volumes"])),
      workingDir: checked.workingDir,
      labels: checked.labels,
      onBuild: strings(config["OnBuild"], `config.OnBuild of ${what}`),
      ...(checked.entrypoint.length === 0 ? {} : { entrypoint: checked.entrypoint }),
      ...(checked.cmd.length === 0 ? {} : { cmd: checked.cmd }),
      ...(config["Shell"] === undefined || config["Shell"] === null
        ? {}
        : { shell: strings(config["Shell"], `config.Shell of ${what}`) }),
      ...defined({ stopSignal: text(config["StopSignal"]) }),
      ...(healthcheck === undefined ? {} : { healthcheck }),
    },
    diffIds: checked.diffIds,
    history: history.map((entry) => {
      const fields = record(entry);
      return {
        ...defined({
          created: text(fields["created"]),
          created_by: text(fields["created_by"]),
          author: text(fields["author"]),
          comment: text(fields["comment"]),
        }),
        ...(fields["empty_layer"] === true ? { empty_layer: true } : {}),
      };
    }),
  };
}

/** As the config's JSON says it; the same description gives the same bytes. */
export function writeImageDescription(description: ImageDescription, created: string): Uint8Array {
  const { platform, author, config, diffIds, history } = description;
  const document = {
    created,
    ...(author === undefined ? {} : { author }),
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: configFields(config),
    rootfs: { type: "layers", diff_ids: diffIds },
    history,
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

/** Names the description without its history: what two builds must have in common to go on in the same way. */
export const descriptionKey = ({ platform, author, config, diffIds }: ImageDescription): string =>
  JSON.stringify([formatPlatform(platform), author ?? "", configFields(config), diffIds]);

function configFields(config: ContainerConfig): Readonly<Record<string, unknown>> {
  const { entrypoint, cmd, shell, stopSignal, healthcheck } = config;
  const set = (names: readonly string[]): Readonly<Record<string, object>> | undefined =>
    names.length === 0 ? undefined : Object.fromEntries([...names].sort().map((name) => [name, {}]));
  const list = (items: readonly string[] | undefined): readonly string[] | undefined =>
    items === undefined || items.length === 0 ? undefined : items;
  const labels = Object.entries(config.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return defined({
    User: config.user === "" ? undefined : config.user,
    ExposedPorts: set(config.exposedPorts),
    Env: list(config.env),
    Entrypoint: list(entrypoint),
    Cmd: list(cmd),
    Volumes: set(config.volumes),
    WorkingDir: config.workingDir === "" ? undefined : config.workingDir,
    Labels: labels.length === 0 ? undefined : Object.fromEntries(labels),
    StopSignal: stopSignal,
    Healthcheck: healthcheck,
    Shell: list(shell),
    OnBuild: list(config.onBuild),
  });
}

type Defined<Fields> = { readonly [Key in keyof Fields]?: NonNullable<Fields[Key]> };

/** Without the fields that are undefined. */
export const defined = <Fields extends Readonly<Record<string, unknown>>>(fields: Fields): Defined<Fields> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>;

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

function strings(value: unknown, what: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= listMax && value.every((item) => typeof item === "string")) return value;
  throw new ImageFault("MANIFEST_INVALID", `${what} is no list of texts`);
}

function healthcheckOf(value: unknown): HealthcheckConfig | undefined {
  const fields = record(value);
  const test = fields["Test"];
  if (!Array.isArray(test) || !test.every((item) => typeof item === "string")) return undefined;
  const number = (name: string): number | undefined => {
    const found = fields[name];
    return typeof found === "number" && Number.isSafeInteger(found) && found > 0 ? found : undefined;
  };
  return {
    Test: test,
    ...defined({
      Interval: number("Interval"),
      Timeout: number("Timeout"),
      StartPeriod: number("StartPeriod"),
      StartInterval: number("StartInterval"),
      Retries: number("Retries"),
    }),
  };
}
