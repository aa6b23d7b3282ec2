import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DockerCredentials } from "./docker-credentials.ts";

let directory: string;
const path = process.env["PATH"];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-credentials-"));
  process.env["PATH"] = `${directory}${delimiter}${path}`;
});

afterEach(async () => {
  process.env["PATH"] = path;
  await rm(directory, { recursive: true, force: true });
});

async function credentials(config: unknown, host: string) {
  await writeFile(join(directory, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  return new DockerCredentials(directory).credentials(host);
}

async function helper(name: string, script: string): Promise<void> {
  const file = join(directory, `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

const auth = Buffer.from("user:pa:ss").toString("base64");

test("auths: by host, by URL, Docker Hub under its old name", async () => {
  const expected = { kind: "basic", username: "user", password: "pa:ss" };
  expect(await credentials({ auths: { "r.example": { auth } } }, "r.example")).toEqual(expected);
  expect(await credentials({ auths: { "https://r.example": { auth } } }, "r.example")).toEqual(expected);
  expect(await credentials({ auths: { "https://index.docker.io/v1/": { auth } } }, "docker.io")).toEqual(expected);
  expect(await credentials({ auths: { "r.example": { auth } } }, "r.example:5000")).toBeUndefined();
  expect(await credentials({ auths: { "r.example": { auth, identitytoken: "t" } } }, "r.example")).toEqual({
    kind: "identity-token",
    token: "t",
  });
  expect(await new DockerCredentials(join(directory, "absent")).credentials("x")).toBeUndefined();
});

test("a helper is asked for its host, its answer is read", async () => {
  await helper(
    "one",
    `read host; echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"me\\",\\"Secret\\":\\"at $host\\"}"`,
  );
  await helper("token", `echo '{"Username":"<token>","Secret":"t"}'`);
  await helper("none", "echo credentials not found in native keychain; exit 1");
  const config = {
    credHelpers: { "a.example": "one", "b.example": "token" },
    credsStore: "none",
    auths: { "c.example": { auth } },
  };
  expect(await credentials(config, "a.example")).toEqual({ kind: "basic", username: "me", password: "at a.example" });
  expect(await credentials(config, "b.example")).toEqual({ kind: "identity-token", token: "t" });
  expect(await credentials(config, "c.example")).toMatchObject({ username: "user" });
});

test("what cannot be used is said, and no secret with it", async () => {
  await helper("broken", "echo secret-output; exit 0");
  await helper("failing", "echo it is locked; exit 3");
  await helper("flood", "head -c 1000000 /dev/zero");
  const invalid = { code: "CREDENTIALS_INVALID" };
  for (const config of [
    "{",
    "[]",
    { auths: { "r.example": { auth: "!!!" } } },
    { credsStore: "broken" },
    { credsStore: "failing" },
    { credsStore: "flood" },
    { credsStore: "absent-helper" },
    { credsStore: "../../bin/sh" },
  ]) {
    const asked = credentials(config, "r.example");
    await expect(asked, JSON.stringify(config)).rejects.toMatchObject(invalid);
    await expect(asked).rejects.not.toThrow(/secret-output/);
  }
});
