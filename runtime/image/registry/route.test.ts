import * as fc from "fast-check";
import { isRepositoryName } from "@shallop/sdk/image";
import { expect, test } from "vitest";
import { RegistryFault } from "./fault.ts";
import { parseContentRange, parseRange, parseRegistryPath } from "./route.ts";

const component = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?$/);
// Names that look like paths of the API are names all the same.
const name = fc
  .array(fc.oneof(component, fc.constantFrom("blobs", "manifests", "tags", "list", "uploads", "referrers")), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join("/"));
const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`);

test("every name of the grammar is found in every path, with what follows it", () => {
  fc.assert(
    fc.property(name, digest, (repository, reference) => {
      expect(isRepositoryName(repository)).toBe(true);
      expect(parseRegistryPath(`/v2/${repository}/manifests/${reference}`)).toEqual({
        ...{ kind: "manifest", name: repository, reference },
      });
      expect(parseRegistryPath(`/v2/${repository}/blobs/${encodeURIComponent(reference)}`)).toEqual({
        ...{ kind: "blob", name: repository, digest: reference },
      });
      expect(parseRegistryPath(`/v2/${repository}/tags/list`)).toEqual({ kind: "tags", name: repository });
    }),
  );
});

test("whatever the path, a route names a repository by the grammar, or there is none", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom("..", "%2e%2e", "%", "v2", "blobs", "uploads", "manifests", "a"));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        const route = parseRegistryPath(`/v2/${pieces.join("/")}`);
        if (route !== undefined && "name" in route) expect(isRepositoryName(route.name)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(RegistryFault);
      }
    }),
    { numRuns: 500 },
  );
});

test("a range is within the blob and not empty, or it is none", () => {
  const number = fc.oneof(fc.nat(2_000).map(String), fc.constantFrom("", "-1", "1e3", "99999999999999999999"));
  fc.assert(
    fc.property(number, number, fc.nat(1_500), (first, last, size) => {
      const range = parseRange(`bytes=${first}-${last}`, size);
      if (range === undefined || range === "unsatisfiable") return;
      expect(range.start).toBeGreaterThanOrEqual(0);
      expect(range.end).toBeGreaterThan(range.start);
      expect(range.end).toBeLessThanOrEqual(size);
    }),
    { numRuns: 500 },
  );
});

test("a piece of an upload says where it begins and how long it is, or is refused", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `${a}-${b}`),
      ),
      (header) => {
        try {
          const range = parseContentRange(header);
          expect(range?.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: "RANGE_INVALID" });
        }
      },
    ),
  );
});
