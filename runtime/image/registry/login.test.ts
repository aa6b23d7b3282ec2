import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { anonymousUser, digestOf, RegistryUsers } from "@shallop/sdk/image";
import { systemClock } from "@shallop/sdk/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RegistryBench } from "./registry.fixture.ts";
import { usersFile } from "./server.ts";
import { RegistryTokens } from "./tokens.ts";

const secret = "c2VjcmV0LW9mLXRoZS1wbGF0Zm9ybQ_and_more";
let bench: RegistryBench;
let users: RegistryUsers;
/** The same for all tests: passwords take their time to hash. */
let usersText = "";

async function open(login: "basic" | "token"): Promise<void> {
  bench = await RegistryBench.open({ login, secret });
  users = new RegistryUsers(usersFile(bench.directory));
  if (usersText === "") {
    await users.set({ name: "reader", read: ["team/*"], write: [] }, "reads");
    await users.set({ name: "writer", read: ["base"], write: ["team/*"] }, "writes");
    usersText = await readFile(usersFile(bench.directory), "utf8");
  } else await writeFile(usersFile(bench.directory), usersText, { mode: 0o600 });
}

afterEach(() => bench[Symbol.asyncDispose]());

const body = "bytes";
const digest = digestOf(body);
const blob = (name: string): string => `/v2/${name}/blobs/${digest}`;
const post = (name: string): string => `/v2/${name}/blobs/uploads/?digest=${digest}`;

/** A token as a client gets it. */
async function tokenOf(login: RegistryBench, ...scopes: readonly string[]): Promise<string> {
  const query = scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join("");
  const response = await login.call("GET", `/token?service=shallop${query}`);
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  const json = (await response.json()) as { token: string; access_token: string; expires_in: number };
  expect([json.access_token, json.expires_in]).toEqual([json.token, 300]);
  return json.token;
}

describe("basic", () => {
  beforeEach(() => open("basic"));

  test("without a login nothing is told, and how to log in is", async () => {
    for (const path of ["/v2/", "/v2/_catalog", "/v2/team/app/tags/list", blob("team/app")]) {
      const response = await bench.call("GET", path);
      expect([response.status, response.headers.get("www-authenticate")], path).toEqual([
        401,
        `Basic realm="${bench.server.url}"`,
      ]);
      expect(await response.text()).toContain("UNAUTHORIZED");
    }
    expect(await bench.outcome("GET", "/token")).toBe("404 NAME_UNKNOWN");
  });

  test("a reader reads, a writer writes, each only where it may; what is there is not told to others", async () => {
    const [reader, writer] = [bench.as("reader", "reads"), bench.as("writer", "writes")];
    expect(await writer.outcome("POST", post("team/app"), { body })).toBe("201");
    expect(await writer.outcome("POST", post("base"), { body })).toBe("403 DENIED");
    expect(await reader.outcome("POST", post("team/app"), { body })).toBe("403 DENIED");
    expect(await reader.outcome("GET", blob("team/app"))).toBe("200");
    expect(await reader.outcome("DELETE", blob("team/app"))).toBe("403 DENIED");
    expect(await reader.outcome("GET", blob("base"))).toBe("403 DENIED");
    expect(await reader.outcome("GET", blob("teamster/app"))).toBe("403 DENIED");
    expect(await reader.outcome("GET", "/v2/")).toBe("200");
    expect(await writer.outcome("DELETE", blob("team/app"))).toBe("202");
  });

  test("wrong passwords, unknown users, and headers that are no login", async () => {
    for (const [name, password] of [
      ["reader", "wrong"],
      ["nobody", "reads"],
      ["reader", ""],
      ["", ""],
    ] as const) {
      expect(await bench.as(name, password).outcome("GET", "/v2/")).toBe("401 UNAUTHORIZED");
    }
    for (const authorization of ["Basic", "Basic ???", "Digest abc", "Bearer", "Bearer a.b.c", "x".repeat(8_000)]) {
      const outcome = await bench.outcome("GET", "/v2/", { headers: { authorization } });
      expect(outcome, authorization.slice(0, 20)).toBe("401 UNAUTHORIZED");
    }
  });

  test("a change of the users counts at once: another password, no user any more", async () => {
    const reader = bench.as("reader", "reads");
    expect(await reader.outcome("GET", "/v2/")).toBe("200");
    await users.set({ name: "reader", read: ["team/*"], write: [] }, "other");
    expect(await reader.outcome("GET", "/v2/")).toBe("401 UNAUTHORIZED");
    expect(await bench.as("reader", "other").outcome("GET", "/v2/")).toBe("200");
    await users.remove("reader");
    expect(await bench.as("reader", "other").outcome("GET", "/v2/")).toBe("401 UNAUTHORIZED");
  });

  test("a file of users that cannot be understood lets nobody in", async () => {
    await writeFile(usersFile(bench.directory), '{"users": [{"name": "reader"}]}');
    expect(await bench.as("reader", "reads").outcome("GET", "/v2/")).toBe("500 UNKNOWN");
    await chmod(usersFile(bench.directory), 0o600);
  });

  test("passwords are not in the file, and the file is its owner's", async () => {
    expect((await stat(usersFile(bench.directory))).mode & 0o777).toBe(0o600);
    expect(await readFile(usersFile(bench.directory), "utf8")).not.toMatch(/"(reads|writes)"/);
  });

  test("who may write one repository cannot go on with the upload of another", async () => {
    await users.set({ name: "other", read: [], write: ["other"] }, "other");
    const location = (await bench.as("writer", "writes").call("POST", "/v2/team/app/blobs/uploads/")).headers;
    const id = location.get("location")?.split("/").at(-1);
    const other = bench.as("other", "other");
    expect(await other.outcome("GET", `/v2/other/blobs/uploads/${id}`)).toBe("404 BLOB_UPLOAD_UNKNOWN");
    expect(await other.outcome("GET", `/v2/team/app/blobs/uploads/${id}`)).toBe("403 DENIED");
  });

  test("a blob is mounted only from where its taker may read", async () => {
    const writer = bench.as("writer", "writes");
    await writer.outcome("POST", post("team/app"), { body });
    await users.set({ name: "other", read: [], write: ["other"] }, "other");
    const other = bench.as("other", "other");
    expect(await other.outcome("POST", `/v2/other/blobs/uploads/?mount=${digest}&from=team/app`)).toBe("202");
    expect(await other.outcome("POST", `/v2/other/blobs/uploads/?mount=${digest}`)).toBe("202");
    expect(await other.outcome("GET", blob("other"))).toBe("404 BLOB_UNKNOWN");
    expect(await writer.outcome("POST", `/v2/team/two/blobs/uploads/?mount=${digest}`)).toBe("201");
  });

  test("the catalog shows what one may read", async () => {
    const platform = bench.bearing(secret);
    await platform.image("team/app", "1", []);
    await platform.image("base", "1", []);
    const seen = async (login: RegistryBench): Promise<unknown> => (await login.call("GET", "/v2/_catalog")).json();
    expect(await seen(bench.as("reader", "reads"))).toEqual({ repositories: ["team/app"] });
    expect(await seen(bench.as("writer", "writes"))).toEqual({ repositories: ["base", "team/app"] });
    expect(await seen(platform)).toEqual({ repositories: ["base", "team/app"] });
  });
});

describe("token", () => {
  beforeEach(() => open("token"));

  test("the way of clients: challenge, token for its scope, again", async () => {
    const refused = await bench.call("POST", post("team/app"), { body });
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      `Bearer realm="${bench.server.url}/token",service="shallop",scope="repository:team/app:pull,push"`,
    ]);
    const token = await tokenOf(bench.as("writer", "writes"), "repository:team/app:pull,push");
    expect(await bench.bearing(token).outcome("POST", post("team/app"), { body })).toBe("201");
    expect(await bench.bearing(token).outcome("GET", "/v2/")).toBe("200");
  });

  test("a token is for what was asked and may be had, and not a thing more", async () => {
    const reader = bench.as("reader", "reads");
    const token = bench.bearing(await tokenOf(reader, "repository:team/app:pull,push", "repository:base:*"));
    expect(await token.outcome("GET", blob("team/app"))).toBe("404 BLOB_UNKNOWN");
    for (const [method, path] of [
      ["POST", post("team/app")],
      ["DELETE", blob("team/app")],
      ["GET", blob("team/other")],
      ["GET", blob("base")],
    ] as const) {
      const response = await token.call(method, path);
      expect(response.status, path).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
    }
  });

  test("tokens that were changed, are over, or another's are none", async () => {
    const token = await tokenOf(bench.as("writer", "writes"), "repository:team/app:pull");
    const [head = "", claims = "", signature = ""] = token.split(".");
    const payload = JSON.parse(Buffer.from(claims, "base64url").toString()) as object;
    const encode = (json: object): string => Buffer.from(JSON.stringify(json)).toString("base64url");
    const past = { ...systemClock, wallMs: () => Date.now() - 301_000 };
    const random = { below: () => 0, uuid: () => "u", suffix: () => "s", token: () => "t" };
    const access = [{ type: "repository", name: "team/app", actions: ["pull"] }] as const;
    for (const wrong of [
      `${head}.${encode({ ...payload, sub: "root" })}.${signature}`,
      `${encode({ alg: "none", typ: "JWT" })}.${claims}.`,
      `${head}.${claims}.`,
      `${head}.${claims}`,
      `${token}.x`,
      new RegistryTokens("another key", systemClock, random).issue("writer", access).token,
      new RegistryTokens(secret, past, random).issue("writer", access).token,
    ]) {
      expect(await bench.bearing(wrong).outcome("GET", blob("team/app")), wrong).toBe("401 UNAUTHORIZED");
    }
    const good = new RegistryTokens(secret, systemClock, random).issue("writer", access).token;
    expect(await bench.bearing(good).outcome("GET", blob("team/app"))).toBe("404 BLOB_UNKNOWN");
  });

  test("OAuth2's form, wrong passwords, and what is not offered", async () => {
    const form = (fields: Readonly<Record<string, string>>): Promise<Response> =>
      bench.call("POST", "/token", { body: new URLSearchParams(fields) });
    const login = { grant_type: "password", username: "writer", scope: "repository:team/app:push", service: "shallop" };
    const { access_token: token } = (await (await form({ ...login, password: "writes" })).json()) as {
      access_token: string;
    };
    expect(await bench.bearing(token).outcome("POST", post("team/app"), { body })).toBe("201");
    expect((await form({ ...login, password: "wrong" })).status).toBe(401);
    expect((await form({ grant_type: "refresh_token", refresh_token: "x" })).status).toBe(405);
    expect(await bench.as("writer", "wrong").outcome("GET", "/token")).toBe("401 UNAUTHORIZED");
    expect(await bench.outcome("DELETE", "/token")).toBe("405 UNSUPPORTED");
    expect((await bench.call("POST", "/token", { body: "x".repeat(17_000) })).status).toBe(413);
  });

  test("what was given to anonymous is public, and the rest is not", async () => {
    await users.set({ name: anonymousUser, read: ["public/*"], write: [] }, undefined);
    await bench.bearing(secret).blob("public/app", body);
    expect(await bench.outcome("GET", blob("public/app"))).toBe("200");
    expect(await bench.outcome("POST", post("public/app"), { body })).toBe("401 UNAUTHORIZED");
    // Clients ask for the way in first, and take a token without a name.
    expect(await bench.outcome("GET", "/v2/")).toBe("401 UNAUTHORIZED");
    const token = bench.bearing(await tokenOf(bench, "repository:public/app:pull,push", "repository:team/app:pull"));
    expect(await token.outcome("GET", blob("public/app"))).toBe("200");
    expect(await token.outcome("GET", blob("team/app"))).toBe("401 UNAUTHORIZED");
    expect(await bench.as(anonymousUser, "").outcome("GET", "/v2/")).toBe("401 UNAUTHORIZED");
  });

  test("the catalog needs a scope of its own", async () => {
    await bench.bearing(secret).image("team/app", "1", []);
    const scoped = await tokenOf(bench.as("reader", "reads"), "registry:catalog:*");
    expect(await (await bench.bearing(scoped).call("GET", "/v2/_catalog")).json()).toEqual({
      repositories: ["team/app"],
    });
    const refused = await bench.call("GET", "/v2/_catalog");
    expect(refused.headers.get("www-authenticate")).toContain('scope="registry:catalog:*"');
  });

  test("many wrong logins at once: some are told to wait, and none gets in", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 36 }, (_, index) => bench.as("reader", `guess ${index}`).outcome("GET", "/v2/")),
    );
    expect(new Set(outcomes)).toEqual(new Set(["401 UNAUTHORIZED", "429 TOOMANYREQUESTS"]));
  });
});
