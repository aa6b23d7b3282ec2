import type { StatusCause } from "../fault.ts";
import { dig, type JsonObject, listAt, textAt } from "../json.ts";
import { invalid, required } from "./cause.ts";

/** Policies are looked at for every start of a pod. */
const patternsMax = 64;
const patternCharsMax = 512;
const keysMax = 16;
/** A PEM of an RSA key of 8192 bits has 1.5 KB. */
const keyCharsMax = 8 * 1024;
const messageCharsMax = 512;

/** Letters, digits, what stands in references, and the stars. Anything else would be a pattern of something else. */
const patternPattern = /^[A-Za-z0-9._/:*-]+$/;
const keyPattern = /^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$/;

export function validateImagePolicy(object: JsonObject): StatusCause[] {
  const spec = dig(object, "spec");
  const keys = listAt(spec, "keys");
  const message = textAt(spec, "message") ?? "";
  return [
    ...(listAt(spec, "images").length === 0 ? [required("spec.images", 'which images it is for; "**" for all')] : []),
    ...["images", "namespaces", "registries"].flatMap((field) => validatePatterns(spec, field)),
    ...(keys.length > keysMax ? [invalid("spec.keys", keys.length, `must have at most ${keysMax} items`)] : []),
    ...keys.slice(0, keysMax).flatMap((entry, index) => {
      const key = textAt(entry, "key") ?? "";
      const isGood = key.length <= keyCharsMax && keyPattern.test(key);
      return isGood ? [] : [invalid(`spec.keys[${index}].key`, key.slice(0, 40), "must be a public key in PEM")];
    }),
    ...(message.length > messageCharsMax
      ? [invalid("spec.message", message.slice(0, 40), `must have at most ${messageCharsMax} characters`)]
      : []),
  ];
}

function validatePatterns(spec: ReturnType<typeof dig>, field: string): StatusCause[] {
  const patterns = listAt(spec, field);
  const at = `spec.${field}`;
  if (patterns.length > patternsMax) return [invalid(at, patterns.length, `must have at most ${patternsMax} items`)];
  return patterns.flatMap((pattern, index) =>
    typeof pattern === "string" && pattern.length <= patternCharsMax && patternPattern.test(pattern)
      ? []
      : [
          invalid(
            `${at}[${index}]`,
            JSON.stringify(pattern).slice(0, 40),
            "must be letters, digits, . _ - / : and stars",
          ),
        ],
  );
}
