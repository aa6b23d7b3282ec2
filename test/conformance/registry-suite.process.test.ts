import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { goProgram } from "../support/go-programs.ts";
import { OpenRegistry } from "./registry.fixture.ts";

// The distribution specification's own suite, all workflows (pull, push, content discovery, content management) and all
// that it knows of, also what was added after 1.1. `npm run setup` builds it, where there is Go.

const suite = goProgram("conformance");
if (suite === undefined) console.log("the specification's suite is not on this machine: conformance is not tested");

describe.skipIf(suite === undefined)("the suite of the distribution specification", () => {
  let registry: OpenRegistry;

  beforeAll(async () => {
    registry = await OpenRegistry.start();
  });
  afterAll(() => registry?.[Symbol.asyncDispose]());

  test.each(["plain", "secure"] as const)("has nothing to say against the %s port", async (port) => {
    const results = join(registry.directory, `results-${port}`);
    const login = { OCI_USERNAME: registry.user.name, OCI_PASSWORD: registry.user.password };
    const output = await registry.run(suite ?? "", [], {
      env: {
        OCI_REGISTRY: registry[port],
        OCI_TLS: port === "secure" ? "insecure" : "disabled",
        OCI_REPO1: `conformance/${port}/one`,
        OCI_REPO2: `conformance/${port}/two`,
        ...(port === "secure" ? login : {}),
        OCI_VERSION: "dev",
        OCI_RESULTS_DIR: results,
        OCI_API_BLOBS_DIGEST_HEADER: "true",
        OCI_API_BLOBS_UPLOAD_CANCEL: "true",
        OCI_API_MANIFESTS_DIGEST_HEADER: "true",
        OCI_API_MANIFESTS_TAG_PARAM: "true",
      },
    });
    const [counts] = /<testsuites [^>]*>/.exec(await readFile(join(results, "junit.xml"), "utf8")) ?? [];
    const count = (name: string): number => Number(new RegExp(`${name}="(\\d+)"`).exec(counts ?? "")?.[1] ?? 0);
    expect(count("tests")).toBeGreaterThan(900);
    expect([count("failures"), count("errors")], output).toEqual([0, 0]);
    // The suite's tokens are for one repository each, so that nothing can be mounted from another: it skips that then.
    expect(count("skipped"), output).toBe(port === "secure" ? 4 : 0);
  });
});
