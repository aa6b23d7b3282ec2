import type { Digest } from "@shallop/sdk/image";
import { expect, test } from "vitest";
import { cargoPackages, goPackages, pythonPackages } from "./lock-files.ts";
import { alpinePackages, debianPackages, npmPackages } from "./packages.ts";
import { cycloneDxDocument, provenanceStatement, spdxDocument } from "./statements.ts";

test("npm's lock file: each package once, scopes encoded, without development and links", () => {
  const lock = JSON.stringify({
    lockfileVersion: 3,
    packages: {
      "": { name: "app", version: "1.0.0" },
      "node_modules/hono": { version: "4.13.19", license: "MIT" },
      "node_modules/a/node_modules/hono": { version: "4.13.19" },
      "node_modules/@noble/hashes": { version: "2.4.0" },
      "node_modules/vitest": { version: "5.1.1", dev: true },
      "node_modules/own": { link: true, resolved: "own" },
      "node_modules/alias": { name: "real", version: "1.2.3" },
    },
  });
  expect(npmPackages(lock).map(({ purl }) => purl)).toEqual([
    "pkg:npm/%40noble/hashes@2.4.0",
    "pkg:npm/hono@4.13.19",
    "pkg:npm/real@1.2.3",
  ]);
  for (const nonsense of ["", "[]", "{", '{"packages":{"node_modules/x":{}}}'])
    expect(npmPackages(nonsense)).toEqual([]);
});

test("go.mod: what is required, and not what is a directory of the project", () => {
  const mod = [
    ...["module hello", "go 1.24", "require shallop v0.0.0", "require (", "\tgithub.com/Foo/bar/v2 v2.1.0"],
    ...["\tgolang.org/x/net v0.30.0-rc.1+incompatible // indirect", ")", "exclude github.com/a/b v1.0.0"],
    ...["replace shallop => ./shallop", "replace (", "\texample.org/own v1.0.0 => ../own", ")", "toolchain go1.24.3"],
  ].join("\n");
  expect(goPackages(`${mod}\nrequire example.org/own v1.0.0\n`).map(({ purl }) => purl)).toEqual([
    "pkg:golang/github.com/foo/bar/v2@v2.1.0",
    "pkg:golang/golang.org/x/net@v0.30.0-rc.1%2Bincompatible",
  ]);
  expect(goPackages("module hello\n")).toEqual([]);
});

test("Cargo.lock: crates, without the project's own", () => {
  const source = 'source = "registry+https://github.com/rust-lang/crates.io-index"';
  const lock = [
    "version = 4",
    "[[package]]",
    'name = "http"',
    'version = "1.4.0"',
    source,
    "dependencies = [",
    ' "bytes",',
    "]",
  ];
  const own = ["[[package]]", 'name = "hello"', 'version = "0.1.0"'];
  expect(cargoPackages([...lock, ...own].join("\n")).map(({ purl }) => purl)).toEqual(["pkg:cargo/http@1.4.0"]);
});

test("requirements.txt: all that it names with their versions, or nothing is known", () => {
  const lines = ["# one a line: Loose", "Flask==3.1.2 ; python_version > '3'", "my_pkg[extra]==1.0 # why", ""];
  const all = [...lines, "hashed==4 \\", "    --hash=sha256:00"].join("\n");
  expect(pythonPackages(all)?.map(({ purl }) => purl)).toEqual([
    "pkg:pypi/flask@3.1.2",
    "pkg:pypi/hashed@4",
    "pkg:pypi/my-pkg@1.0",
  ]);
  expect(pythonPackages("# none\n")).toEqual([]);
  for (const line of ["loose>=2", "-r other.txt", "loose"]) expect(pythonPackages(`${all}\n${line}`)).toBeUndefined();
});

test("Debian's status: what is installed, epochs encoded", () => {
  const status = [
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u9\nDescription: C\n more",
    "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1",
    "Package: login\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:4.13",
  ].join("\n\n");
  expect(debianPackages(status).map(({ purl }) => purl)).toEqual([
    "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64",
    "pkg:deb/debian/login@1%3A4.13?arch=amd64",
  ]);
});

test("apk's database: name, version, processor, licence; the distribution where another one uses it", () => {
  const installed = [
    "C:Q1x",
    "P:musl",
    "V:1.2.5-r10",
    "A:x86_64",
    "L:MIT",
    "F:lib",
    "R:ld.so",
    "",
    "P:bare",
    "V:1+2",
    "",
  ];
  expect(alpinePackages(installed.join("\n"))).toEqual([
    { name: "bare", version: "1+2", purl: "pkg:apk/alpine/bare@1%2B2?arch=noarch" },
    { name: "musl", version: "1.2.5-r10", purl: "pkg:apk/alpine/musl@1.2.5-r10?arch=x86_64", license: "MIT" },
  ]);
  expect(alpinePackages("P:a\nV:1\n", "wolfi")[0]?.purl).toBe("pkg:apk/wolfi/a@1?arch=noarch");
  expect(debianPackages("Package: tzdata\nVersion: 1\nArchitecture: all\n", "ubuntu")[0]?.purl).toBe(
    "pkg:deb/ubuntu/tzdata@1?arch=all",
  );
});

test("documents name the image by its digest, and say the same of the same", () => {
  const digest = `sha256:${"a".repeat(64)}` as Digest;
  const subject = { name: "r/hello", digest, created: "2026-01-01T00:00:00Z" };
  const packages = [{ name: "hono", version: "4", purl: "pkg:npm/hono@4", license: "MIT" }];
  expect(spdxDocument(subject, packages)).toEqual(spdxDocument(subject, packages));
  expect(spdxDocument(subject, packages)).toMatchObject({
    spdxVersion: "SPDX-2.3",
    packages: [{ checksums: [{ algorithm: "SHA256", checksumValue: "a".repeat(64) }] }, { licenseDeclared: "MIT" }],
    relationships: [{ relationshipType: "DESCRIBES" }, { relationshipType: "CONTAINS" }],
  });
  expect(cycloneDxDocument(subject, packages)).toEqual(cycloneDxDocument(subject, packages));
  expect(cycloneDxDocument(subject, packages)).toMatchObject({
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: "urn:uuid:aaaaaaaa-aaaa-8aaa-8aaa-aaaaaaaaaaaa",
    metadata: { component: { type: "container", hashes: [{ alg: "SHA-256", content: "a".repeat(64) }] } },
    components: [{ name: "hono", version: "4", purl: "pkg:npm/hono@4", licenses: [{ expression: "MIT" }] }],
    dependencies: [{ ref: digest, dependsOn: ["pkg:npm/hono@4"] }],
  });
  const statement = provenanceStatement(subject, { source: "hello", locks: [{ name: "l", sha256: "b" }] });
  expect(statement).toMatchObject({
    subject: [{ name: "r/hello", digest: { sha256: "a".repeat(64) } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: { buildDefinition: { resolvedDependencies: [{ name: "l", digest: { sha256: "b" } }] } },
  });
});
