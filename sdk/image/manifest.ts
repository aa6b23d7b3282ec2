import { type Digest, digestOf } from "./digest.ts";
import { ImageFault } from "./fault.ts";
import { isObject, JsonFields, parseJson } from "./json-fields.ts";
import { isIndexType, isManifestType, mediaType } from "./media-types.ts";

/** Distribution specification, "Pushing Manifests": registries should accept at least 4 MiB; we read no more. */
export const manifestBytesMax = 4 * 1024 * 1024;
/** Deeper than any real manifest by far (5), shallow enough to walk without care. */
const nestingMax = 32;
/** Docker allows 127 layers, containerd 128; artifacts with a file per layer have more. */
const layersMax = 2_000;
/** A platform each: real indexes have at most some twenty, with attestations forty. */
const indexEntriesMax = 1_000;
/** What one entry of `env`, `cmd`, imports … may have: more than any real image. */
const listMax = 10_000;

/** Image specification, "Descriptor". */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly platform?: Platform;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

export type ManifestDocument = ImageIndex | ImageManifest;

/** A manifest or index with the bytes that its digest names. */
export interface ManifestBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly document: ManifestDocument;
}

/**
 * Reads a manifest or index from hostile bytes. Fields that the specification does not know are ignored.
 *
 * @param contentType the type it was served under; when the document names its own, the two must agree
 * @throws ImageFault MANIFEST_INVALID naming every wrong field
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined, what = "manifest"): ManifestDocument {
  if (bytes.length > manifestBytesMax) {
    throw new ImageFault("MANIFEST_INVALID", `${what} has ${bytes.length} bytes, at most ${manifestBytesMax} are read`);
  }
  const json = parseJson(bytes, what, nestingMax);
  if (!isObject(json)) throw new ImageFault("MANIFEST_INVALID", `${what} is not valid: it must be a JSON object`);
  const fields = new JsonFields();
  if (json["schemaVersion"] !== 2) fields.wrong("schemaVersion", "must be 2 (Docker's old schema 1 is not read)");
  const type = documentType(fields, json, contentType);
  const artifactType = fields.optionalString(json["artifactType"], "artifactType");
  const common = {
    mediaType: type,
    annotations: fields.stringMap(json["annotations"], "annotations"),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(isObject(json["subject"]) ? { subject: readDescriptor(fields, json["subject"], "subject") } : {}),
  };
  const document: ManifestDocument = isIndexType(type)
    ? { kind: "index", ...common, manifests: readList(fields, json["manifests"], "manifests", indexEntriesMax) }
    : {
        kind: "manifest",
        ...common,
        config: readDescriptor(fields, json["config"], "config"),
        layers: readList(fields, json["layers"], "layers", layersMax),
      };
  fields.finish(what);
  return document;
}

/**
 * The same bytes must not be read as an index by one and as a manifest by another: whoever checked the one would not
 * have checked the other (CVE-2021-41190). So a document with the lists of both is refused.
 */
function documentType(
  fields: JsonFields,
  json: Readonly<Record<string, unknown>>,
  contentType: string | undefined,
): string {
  const own = fields.optionalString(json["mediaType"], "mediaType");
  const served = contentType === undefined ? undefined : bareType(contentType);
  const servedKnown = served !== undefined && (isIndexType(served) || isManifestType(served));
  if (own !== undefined && servedKnown && own !== served) {
    fields.wrong("mediaType", `is ${own}, but it was served as ${served}`);
  }
  const hasManifests = "manifests" in json;
  if (hasManifests && ("layers" in json || "config" in json)) {
    fields.wrong("manifests", "must not stand beside config or layers");
  }
  const type = own ?? (servedKnown ? served : hasManifests ? mediaType.index : mediaType.manifest);
  if (!isIndexType(type) && !isManifestType(type)) fields.wrong("mediaType", `${type} is no image manifest or index`);
  return type;
}

/** A Content-Type without its parameters, lower case. */
export const bareType = (contentType: string): string => (contentType.split(";")[0] ?? "").trim().toLowerCase();

function readList(fields: JsonFields, value: unknown, path: string, countMax: number): readonly Descriptor[] {
  // `manifests: null` and `layers: null` are written by Go programs that mean an empty list.
  if (value === undefined) fields.wrong(path, "is missing");
  return fields.list(value, path, countMax).map((item, index) => readDescriptor(fields, item, `${path}[${index}]`));
}

function readDescriptor(fields: JsonFields, value: unknown, path: string): Descriptor {
  const json = fields.object(value, path);
  const artifactType = fields.optionalString(json["artifactType"], `${path}.artifactType`);
  const annotations = fields.stringMap(json["annotations"], `${path}.annotations`);
  return {
    mediaType: fields.string(json["mediaType"], `${path}.mediaType`),
    digest: fields.digest(json["digest"], `${path}.digest`),
    size: fields.size(json["size"], `${path}.size`),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(isObject(json["platform"]) ? { platform: readPlatform(fields, json["platform"], `${path}.platform`) } : {}),
  };
}

function readPlatform(fields: JsonFields, json: Readonly<Record<string, unknown>>, path: string): Platform {
  const variant = fields.optionalString(json["variant"], `${path}.variant`);
  const osVersion = fields.optionalString(json["os.version"], `${path}.os.version`);
  return {
    os: fields.string(json["os"], `${path}.os`),
    architecture: fields.string(json["architecture"], `${path}.architecture`),
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { osVersion }),
  };
}

/** `os/architecture[/variant]`, as Docker's `--platform` writes it. */
export const formatPlatform = (platform: Platform): string =>
  [platform.os, platform.architecture, platform.variant ?? ""].filter((part) => part !== "").join("/");

/** What the digests in a manifest name: its config and layers, or the manifests of an index; not its subject. */
export const referencesOf = (document: ManifestDocument): readonly Descriptor[] =>
  document.kind === "index" ? document.manifests : [document.config, ...document.layers];

/** A manifest from its parsed bytes. `digest` is what it was asked by; without one it is computed. */
export function manifestBlob(bytes: Uint8Array, document: ManifestDocument, digest?: Digest): ManifestBlob {
  const descriptor = { mediaType: document.mediaType, digest: digest ?? digestOf(bytes), size: bytes.length };
  return { bytes, document, descriptor };
}

/** What a component says of itself in the CNCF config. */
export interface ComponentFacts {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** The world it was built for: `wasi:http/proxy@0.2.0`. */
  readonly target?: string;
}

/** The config of any of the Wasm conventions, as far as it says something. */
export interface WasmConfig {
  readonly platform: Platform;
  readonly component?: ComponentFacts;
}

/** Image specification, "Image Configuration", as far as a node needs it. */
export interface ImageConfig {
  readonly platform: Platform;
  /** Digests of the layers' uncompressed archives, the base first. */
  readonly diffIds: readonly Digest[];
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly exposedPorts: readonly string[];
  /** `SIGQUIT`, `3`, or whatever the image says; empty when it says nothing. */
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Reads an OCI or Docker image config. @throws ImageFault MANIFEST_INVALID naming every wrong field */
export function parseImageConfig(bytes: Uint8Array, what = "image config"): ImageConfig {
  const { fields, json } = readConfig(bytes, what);
  const config = fields.optionalObject(json["config"], "config");
  const rootfs = fields.optionalObject(json["rootfs"], "rootfs");
  const parsed: ImageConfig = {
    platform: readPlatform(fields, json, "config"),
    diffIds: fields
      .list(rootfs["diff_ids"], "rootfs.diff_ids", layersMax)
      .map((item, index) => fields.digest(item, `rootfs.diff_ids[${index}]`)),
    env: fields.strings(config["Env"], "config.Env", listMax),
    entrypoint: commandLine(fields, config["Entrypoint"], "config.Entrypoint"),
    cmd: commandLine(fields, config["Cmd"], "config.Cmd"),
    workingDir: fields.optionalString(config["WorkingDir"], "config.WorkingDir") ?? "",
    user: fields.optionalString(config["User"], "config.User") ?? "",
    exposedPorts: Object.keys(fields.optionalObject(config["ExposedPorts"], "config.ExposedPorts")),
    stopSignal: fields.optionalString(config["StopSignal"], "config.StopSignal") ?? "",
    labels: fields.stringMap(config["Labels"], "config.Labels"),
  };
  for (const [path, texts] of [
    ["config.Env", parsed.env],
    ["config.Entrypoint", parsed.entrypoint],
    ["config.Cmd", parsed.cmd],
    ["config.WorkingDir", [parsed.workingDir]],
    ["config.User", [parsed.user]],
  ] as const) {
    // Such a text would be cut short where it becomes a C string, and mean something else than was checked.
    if (texts.some((text) => text.includes("\0"))) fields.wrong(path, "must not hold a NUL character");
  }
  fields.finish(what);
  return parsed;
}

/** Old images write the shell form as one text. */
function commandLine(fields: JsonFields, value: unknown, path: string): readonly string[] {
  return typeof value === "string" ? ["/bin/sh", "-c", value] : fields.strings(value, path, listMax);
}

/** Reads the config of a Wasm artifact. @throws ImageFault MANIFEST_INVALID naming every wrong field */
export function parseWasmConfig(bytes: Uint8Array, what = "Wasm config"): WasmConfig {
  const { fields, json } = readConfig(bytes, what);
  const os = fields.optionalString(json["os"], "os") ?? "wasi";
  const platform = { os, architecture: "wasm" };
  let component: ComponentFacts | undefined;
  if (isObject(json["component"])) {
    const target = fields.optionalString(json["component"]["target"], "component.target");
    component = {
      imports: fields.strings(json["component"]["imports"], "component.imports", listMax),
      exports: fields.strings(json["component"]["exports"], "component.exports", listMax),
      ...(target === undefined ? {} : { target }),
    };
  }
  fields.finish(what);
  return { platform, ...(component === undefined ? {} : { component }) };
}

function readConfig(bytes: Uint8Array, what: string): { fields: JsonFields; json: Readonly<Record<string, unknown>> } {
  if (bytes.length > manifestBytesMax) {
    throw new ImageFault("MANIFEST_INVALID", `${what} has ${bytes.length} bytes, at most ${manifestBytesMax} are read`);
  }
  const json = parseJson(bytes, what, nestingMax);
  if (!isObject(json)) throw new ImageFault("MANIFEST_INVALID", `${what} is not valid: it must be a JSON object`);
  return { fields: new JsonFields(), json };
}
