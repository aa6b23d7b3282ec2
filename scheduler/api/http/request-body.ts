import { ApiFault, type Json, type JsonObject, isJsonObject } from "@shallop/sdk/api";
import { type Clock, describeError } from "@shallop/sdk/internal";
import { parse as parseYaml } from "yaml";
import { badRequest } from "../faults.ts";
import { checkDepth, type ParsedBody, parseJson } from "../json-body.ts";
import { type PatchKind, unsupportedPatch } from "../patch.ts";
import { decodeProtobuf } from "../protobuf.ts";

// apiserver's MaxRequestBodyBytes.
const bodyBytesMax = 3 * 1024 * 1024;
// A body of the largest size over a slow line (0.8 Mbit/s). Who sends slower holds a connection for nothing.
const bodyTimeoutMs = 30_000;
// YAML aliases multiply what they name; hand-written objects use a few.
const yamlAliasesMax = 100;

const tooLarge = (): ApiFault =>
  new ApiFault("RequestEntityTooLarge", `Request entity too large: limit is ${bodyBytesMax}`);

/** The whole body, bounded in size and time. @throws ApiFault RequestEntityTooLarge, BadRequest, Timeout */
async function readBody(request: Request, clock: Clock): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? "0") > bodyBytesMax) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let late = false;
  const timer = clock.after(bodyTimeoutMs, () => {
    late = true;
    void reader.cancel().catch(() => undefined);
  });
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      byteCount += read.value.byteLength;
      if (byteCount > bodyBytesMax) {
        void reader.cancel().catch(() => undefined);
        throw tooLarge();
      }
      chunks.push(read.value);
    }
  } catch (error) {
    if (error instanceof ApiFault) throw error;
    throw badRequest(`the body could not be read to its end: ${describeError(error)}`);
  } finally {
    timer.cancel();
  }
  if (late) throw new ApiFault("Timeout", `the body did not arrive within ${bodyTimeoutMs / 1000} s`);
  return Buffer.concat(chunks);
}

const mediaType = (request: Request): string =>
  (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/** An object from a body of JSON, YAML or protobuf. @throws ApiFault BadRequest, UnsupportedMediaType, as readBody */
export async function readObject(request: Request, clock: Clock): Promise<ParsedBody> {
  return parseObject(await readBody(request, clock), mediaType(request));
}

function parseObject(body: Uint8Array, type: string): ParsedBody {
  switch (type) {
    // Without a type: JSON, as apiserver takes it.
    case "":
    case "application/json":
      return parseJson(decodeText(body));
    case "application/yaml":
    case "application/x-yaml":
    case "text/yaml":
      return { value: readYaml(decodeText(body)), duplicates: [] };
    case "application/vnd.kubernetes.protobuf":
      return { value: decodeProtobuf(body), duplicates: [] };
    default:
      throw new ApiFault(
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json, " +
          "application/yaml, application/vnd.kubernetes.protobuf",
      );
  }
}

/** A body that may be absent: `{}` then. */
export async function readOptionalObject(request: Request, clock: Clock): Promise<JsonObject> {
  const body = await readBody(request, clock);
  if (body.byteLength === 0) return {};
  const { value } = parseObject(body, mediaType(request));
  if (!isJsonObject(value)) throw badRequest("the body must be an object");
  return value;
}

export interface PatchBody {
  readonly kind: PatchKind | "apply";
  readonly body: Json;
  readonly duplicates: readonly string[];
}

const patchKinds: Readonly<Record<string, PatchKind>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
};

/** @throws ApiFault UnsupportedMediaType, as readBody */
export async function readPatch(request: Request, clock: Clock, builtin: boolean): Promise<PatchBody> {
  const type = mediaType(request);
  if (type === "application/apply-patch+yaml") return readApply(decodeText(await readBody(request, clock)));
  const kind = Object.hasOwn(patchKinds, type) ? patchKinds[type] : undefined;
  if (kind === undefined || (kind === "strategic" && !builtin)) {
    throw unsupportedPatch(builtin ? ["json", "merge", "strategic"] : ["json", "merge"]);
  }
  const { value, duplicates } = parseJson(decodeText(await readBody(request, clock)));
  return { kind, body: value, duplicates };
}

/** An object in YAML, of which JSON is a part: read as JSON it tells what it repeats. */
function readApply(text: string): PatchBody {
  if (!text.trimStart().startsWith("{")) return { kind: "apply", body: readYaml(text), duplicates: [] };
  const { value, duplicates } = parseJson(text);
  return { kind: "apply", body: value, duplicates };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw badRequest(`the body is not UTF-8: ${describeError(error)}`);
  }
}

function readYaml(text: string): Json {
  let value: Json;
  try {
    value = parseYaml(text, { maxAliasCount: yamlAliasesMax, schema: "core" }) as Json;
  } catch (error) {
    throw badRequest(`the body is no YAML: ${describeError(error)}`);
  }
  checkDepth(value);
  return value;
}
