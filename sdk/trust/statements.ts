import { type Attachment, type Digest, digestAlgorithm, digestHex } from "@shallop/sdk/image";
import type { Package } from "./packages.ts";

// What is said about an image in files of their own, which refer to it: SPDX 2.3 (ISO/IEC 5962), CycloneDX 1.6 (ECMA-424) and
// SLSA provenance 1.0 in an in-toto statement. The same facts give the same bytes.

export const spdxType = "application/spdx+json";
export const cycloneDxType = "application/vnd.cyclonedx+json";
export const inTotoType = "application/vnd.in-toto+json";
const provenanceType = "https://slsa.dev/provenance/v1";

export interface ImageSubject {
  /** `registry/repository`. */
  readonly name: string;
  readonly digest: Digest;
  /** RFC 3339: when the image was made, as the image says. */
  readonly created: string;
}

/** A bill of materials. */
export function spdxDocument(subject: ImageSubject, packages: readonly Package[]): object {
  const image = "SPDXRef-image";
  const listed = packages.map((one, index) => ({
    SPDXID: `SPDXRef-package-${index + 1}`,
    name: one.name,
    versionInfo: one.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: one.license ?? "NOASSERTION",
    copyrightText: "NOASSERTION",
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: one.purl }],
  }));
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: subject.name,
    documentNamespace: `https://shallop.dev/spdx/${digestHex(subject.digest)}`,
    creationInfo: { created: subject.created, creators: ["Tool: shallop-0.1.0"] },
    packages: [
      {
        SPDXID: image,
        name: subject.name,
        versionInfo: subject.digest,
        downloadLocation: "NOASSERTION",
        filesAnalyzed: false,
        primaryPackagePurpose: "CONTAINER",
        checksums: [
          { algorithm: digestAlgorithm(subject.digest).toUpperCase(), checksumValue: digestHex(subject.digest) },
        ],
      },
      ...listed,
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: image },
      ...listed.map(({ SPDXID }) => ({
        spdxElementId: image,
        relationshipType: "CONTAINS",
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
}

/** The same in the other format that scanners read. */
export const cycloneDxDocument = (subject: ImageSubject, packages: readonly Package[]): object => ({
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  serialNumber: `urn:uuid:${uuidOf(digestHex(subject.digest))}`,
  version: 1,
  metadata: {
    timestamp: subject.created,
    tools: { components: [{ type: "application", name: "shallop", version: "0.1.0" }] },
    component: {
      type: "container",
      "bom-ref": subject.digest,
      name: subject.name,
      version: subject.digest,
      hashes: [
        {
          alg: digestAlgorithm(subject.digest) === "sha512" ? "SHA-512" : "SHA-256",
          content: digestHex(subject.digest),
        },
      ],
    },
  },
  components: packages.map((one) => ({
    type: "library",
    "bom-ref": one.purl,
    name: one.name,
    version: one.version,
    purl: one.purl,
    ...(one.license === undefined ? {} : { licenses: [{ expression: one.license }] }),
  })),
  dependencies: [{ ref: subject.digest, dependsOn: packages.map(({ purl }) => purl) }],
});

/** Version 8 (RFC 9562, 5.8): of the image's digest, so that the same image has the same. */
function uuidOf(hex: string): string {
  const digits = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17, 32)}`;
  return [8, 12, 16, 20, 32].map((end, index, ends) => digits.slice(ends[index - 1] ?? 0, end)).join("-");
}

export interface BuildFacts {
  /** What was built: the project's name. */
  readonly source: string;
  /** Files that say which dependencies went in, by name, with their SHA-256. */
  readonly locks: readonly { readonly name: string; readonly sha256: string }[];
}

/** How an image was made. */
export const provenanceStatement = (subject: ImageSubject, build: BuildFacts): object => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: subject.name, digest: { [digestAlgorithm(subject.digest)]: digestHex(subject.digest) } }],
  predicateType: provenanceType,
  predicate: {
    buildDefinition: {
      buildType: "https://shallop.dev/build/v1",
      externalParameters: { source: build.source },
      resolvedDependencies: build.locks.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    },
    runDetails: { builder: { id: "https://shallop.dev/cli", version: { shallop: "0.1.0" } } },
  },
});

const fileNames: Readonly<Record<string, string>> = {
  [spdxType]: "sbom.spdx.json",
  [cycloneDxType]: "sbom.cdx.json",
  [inTotoType]: "provenance.intoto.json",
};

/** A document as something that refers to an image. */
export const documentAttachment = (artifactType: string, document: object, created: string): Attachment => ({
  artifactType,
  layers: [
    {
      mediaType: artifactType,
      bytes: new TextEncoder().encode(JSON.stringify(document)),
      // Under this name clients that fetch files write it.
      annotations: { "org.opencontainers.image.title": fileNames[artifactType] ?? "document.json" },
    },
  ],
  annotations: {
    "org.opencontainers.image.created": created,
    ...(artifactType === inTotoType ? { "in-toto.io/predicate-type": provenanceType } : {}),
  },
});
