import { connect } from "node:net";
import { stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DigestAlgorithm, digestOf, mediaType } from "@shallop/sdk/image";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Bench, openBench } from "../image.fixture.ts";
import { startRegistryServer } from "./server.ts";

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(() => bench[Symbol.asyncDispose]());

type Init = RequestInit & { readonly duplex?: "half" };

const call = (method: string, path: string, init: Init = {}): Promise<Response> =>
  fetch(new URL(path, bench.registry.url), { method, ...init });

async function upload(name: string, body: string, algorithm: DigestAlgorithm = "sha256"): Promise<string> {
  const digest = digestOf(body, algorithm);
  const response = await call("POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, { body });
  expect(response.status).toBe(201);
  return digest;
}

async function start(name: string, query = ""): Promise<string> {
  const response = await call("POST", `/v2/${name}/blobs/uploads/${query}`);
  expect(response.status).toBe(202);
  expect(response.headers.get("range")).toBe("0-0");
  return response.headers.get("location") ?? "";
}

async function code(response: Response): Promise<string> {
  expect(response.headers.get("content-type")).toBe("application/json");
  const { errors } = (await response.json()) as { errors: { code: string; message: string; detail: unknown }[] };
  expect(errors).toHaveLength(1);
  expect(errors[0]).toHaveProperty("detail");
  return errors[0]?.code ?? "";
}

async function pushManifest(
  name: string,
  reference: string,
  more: object = {},
): Promise<{ body: string; response: Response }> {
  const config = await upload(name, "{}");
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config: { mediaType: mediaType.config, digest: config, size: 2 },
    layers: [],
    ...more,
  });
  const headers = { "content-type": mediaType.manifest };
  return { body, response: await call("PUT", `/v2/${name}/manifests/${reference}`, { body, headers }) };
}

test("ping; what has no meaning is 404 or 405 with an error body", async () => {
  const ping = await call("GET", "/v2/");
  expect([ping.status, await ping.text(), ping.headers.get("docker-distribution-api-version")]).toEqual([
    200,
    "{}",
    "registry/2.0",
  ]);
  expect((await call("GET", "/other")).status).toBe(404);
  expect((await call("GET", "/v2/UPPER/tags/list")).status).toBe(400);
  expect((await call("POST", "/v2/")).status).toBe(405);
  expect(await code(await call("PUT", "/v2/app/tags/list"))).toBe("UNSUPPORTED");
  expect(await code(await call("GET", "/v2/app/../../etc/manifests/x"))).toBe("NAME_UNKNOWN");
});

describe.each(["sha256", "sha512"] as const)("blobs by %s", (algorithm) => {
  const body = "0123456789".repeat(50);
  const digest = digestOf(body, algorithm);
  const wrong = digestOf("other", algorithm);

  test("single POST", async () => {
    const response = await call("POST", `/v2/app/blobs/uploads/?digest=${digest}`, { body });
    expect([response.status, response.headers.get("docker-content-digest"), response.headers.get("location")]).toEqual([
      201,
      digest,
      `/v2/app/blobs/${digest}`,
    ]);
    const bad = await call("POST", `/v2/app/blobs/uploads/?digest=${wrong}`, { body });
    expect([bad.status, await code(bad)]).toEqual([400, "DIGEST_INVALID"]);
  });

  test("POST and PUT", async () => {
    const location = await start("app", `?digest-algorithm=${algorithm}`);
    const response = await call("PUT", `${location}?digest=${digest}`, { body });
    expect([response.status, response.headers.get("docker-content-digest")]).toEqual([201, digest]);
    const got = await call("GET", response.headers.get("location") ?? "");
    expect([
      got.status,
      await got.text(),
      got.headers.get("docker-content-digest"),
      got.headers.get("content-type"),
    ]).toEqual([200, body, digest, "application/octet-stream"]);
    const bad = await call("PUT", `${await start("app")}?digest=${wrong}`, { body });
    expect(await code(bad)).toBe("DIGEST_INVALID");
    expect((await call("GET", `/v2/app/blobs/${wrong}`)).status).toBe(404);
  });

  test("chunks, out of order ones refused, the last one in PUT", async () => {
    const location = await start("app");
    const patch = (from: number, to: number): Promise<Response> =>
      call("PATCH", location, { body: body.slice(from, to), headers: { "content-range": `${from}-${to - 1}` } });
    const first = await patch(0, 200);
    expect([first.status, first.headers.get("range")]).toEqual([202, "0-199"]);
    for (const [from, to] of [
      [300, 400],
      [0, 200],
      [100, 300],
    ] as const) {
      const refused = await patch(from, to);
      expect([refused.status, refused.headers.get("range"), refused.headers.get("location")]).toEqual([
        416,
        "0-199",
        location,
      ]);
    }
    const progress = await call("GET", location);
    expect([progress.status, progress.headers.get("range"), progress.headers.get("location")]).toEqual([
      204,
      "0-199",
      location,
    ]);
    expect((await patch(200, 300)).status).toBe(202);
    const early = await call("PUT", `${location}?digest=${digest}`, {
      body: body.slice(400),
      headers: { "content-range": "400-499" },
    });
    expect(early.status).toBe(416);
    const done = await call("PUT", `${location}?digest=${digest}`, {
      body: body.slice(300),
      headers: { "content-range": "300-499" },
    });
    expect(done.status).toBe(201);
    expect(await (await call("GET", `/v2/app/blobs/${digest}`)).text()).toBe(body);
    expect((await call("GET", location)).status).toBe(404);
  });

  test("one streamed PATCH without length or range, as Docker sends it", async () => {
    const location = await start("app");
    const stream = new Blob([body]).stream();
    const patched = await call("PATCH", location, { body: stream, duplex: "half" });
    expect([patched.status, patched.headers.get("range")]).toEqual([202, "0-499"]);
    expect((await call("PUT", `${location}?digest=${digest}`)).status).toBe(201);
  });

  test("ranges", async () => {
    await upload("app", body, algorithm);
    const rows = [
      ["bytes=100-199", 206, "bytes 100-199/500", body.slice(100, 200)],
      ["bytes=400-", 206, "bytes 400-499/500", body.slice(400)],
      ["bytes=-30", 206, "bytes 470-499/500", body.slice(470)],
      ["bytes=-900", 206, "bytes 0-499/500", body],
      ["bytes=450-9000", 206, "bytes 450-499/500", body.slice(450)],
      ["bytes=0-0", 206, "bytes 0-0/500", "0"],
      ["bytes=500-", 416, "bytes */500", undefined],
      ["bytes=300-100", 416, "bytes */500", undefined],
      ["bytes=-0", 416, "bytes */500", undefined],
      ["bytes=0-1,3-4", 200, null, body],
      ["lines=1-2", 200, null, body],
    ] as const;
    for (const [range, status, contentRange, expected] of rows) {
      const response = await call("GET", `/v2/app/blobs/${digest}`, { headers: { range } });
      const text = await response.text();
      expect([range, response.status, response.headers.get("content-range")]).toEqual([range, status, contentRange]);
      if (expected !== undefined) expect(text).toBe(expected);
    }
  });

  test("HEAD, DELETE, and then nothing", async () => {
    await upload("app", body, algorithm);
    const path = `/v2/app/blobs/${digest}`;
    const head = await call("HEAD", path);
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "500", ""]);
    expect((await call("DELETE", path)).status).toBe(202);
    expect(await code(await call("GET", path))).toBe("BLOB_UNKNOWN");
    expect((await call("DELETE", path)).status).toBe(404);
  });

  test("mount: of what is there, from somewhere or from anywhere, and of what is not", async () => {
    await upload("one", body, algorithm);
    const mounted = await call("POST", `/v2/two/blobs/uploads/?mount=${digest}&from=one`);
    expect([mounted.status, mounted.headers.get("location")]).toEqual([201, `/v2/two/blobs/${digest}`]);
    expect((await call("HEAD", `/v2/two/blobs/${digest}`)).status).toBe(200);
    expect((await call("HEAD", `/v2/three/blobs/${digest}`)).status).toBe(404);
    for (const query of [
      `mount=${wrong}&from=one`,
      `mount=${digest}&from=absent`,
      `mount=${wrong}`,
      `mount=${digest}&from=../one`,
    ]) {
      expect((await call("POST", `/v2/three/blobs/uploads/?${query}`)).status, query).toBe(202);
    }
    expect((await call("POST", `/v2/three/blobs/uploads/?mount=${digest}`)).status).toBe(201);
    expect((await call("HEAD", `/v2/three/blobs/${digest}`)).status).toBe(200);
  });

  test("manifests by digest", async () => {
    const first = await pushManifest("app", "1");
    const by = digestOf(first.body, algorithm);
    const headers = { "content-type": mediaType.manifest };
    const put = await call("PUT", `/v2/app/manifests/${by}`, { body: first.body, headers });
    expect([put.status, put.headers.get("docker-content-digest")]).toEqual([201, by]);
    const got = await call("GET", `/v2/app/manifests/${by}`);
    expect([await got.text(), got.headers.get("docker-content-digest")]).toEqual([first.body, by]);
    const bad = await call("PUT", `/v2/app/manifests/${wrong}`, { body: first.body, headers });
    expect([bad.status, await code(bad)]).toEqual([400, "DIGEST_INVALID"]);
  });
});

test("malformed digests, sessions and ranges of uploads are 400, 404, 416, never 500", async () => {
  for (const path of [
    "/v2/app/blobs/sha256:bad",
    "/v2/app/manifests/sha256:baddigeststring",
    "/v2/app/referrers/sha256:bad",
  ]) {
    expect((await call("GET", path)).status, path).toBe(400);
  }
  const location = await start("app");
  expect(await code(await call("PUT", location))).toBe("DIGEST_INVALID");
  expect((await call("POST", "/v2/app/blobs/uploads/?digest-algorithm=md5")).status).toBe(400);
  expect((await call("PATCH", location, { headers: { "content-range": "x" }, body: "a" })).status).toBe(416);
  expect(await code(await call("PATCH", location, { headers: { "content-range": "0-9" }, body: "a" }))).toBe(
    "SIZE_INVALID",
  );
  for (const id of ["x", "..", "%2e%2e%2fstore", `${"a".repeat(36)}-sha256`, `${"a".repeat(36)}-md5`]) {
    expect(await code(await call("PATCH", `/v2/app/blobs/uploads/${id}`, { body: "a" })), id).toMatch(/UNKNOWN/);
  }
  expect((await call("DELETE", location)).status).toBe(204);
  expect((await call("DELETE", location)).status).toBe(404);
});

test("manifests: by tag, HEAD, content type kept, exact bytes", async () => {
  const { body, response } = await pushManifest("app", "1", { annotations: { a: "b" }, extra: [1, { x: null }] });
  const digest = digestOf(body);
  expect([response.status, response.headers.get("docker-content-digest"), response.headers.get("location")]).toEqual([
    201,
    digest,
    `/v2/app/manifests/${digest}`,
  ]);
  for (const reference of ["1", digest]) {
    const got = await call("GET", `/v2/app/manifests/${reference}`);
    expect([await got.text(), got.headers.get("content-type")]).toEqual([body, mediaType.manifest]);
    const head = await call("HEAD", `/v2/app/manifests/${reference}`);
    expect([head.headers.get("content-length"), head.headers.get("docker-content-digest")]).toEqual([
      String(body.length),
      digest,
    ]);
  }
  expect(await code(await call("GET", "/v2/app/manifests/2"))).toBe("MANIFEST_UNKNOWN");
  expect(await code(await call("PUT", "/v2/app/manifests/bad%20tag", { body }))).toBe("TAG_INVALID");
  const docker = body.replace(mediaType.manifest, mediaType.dockerManifest);
  await call("PUT", "/v2/app/manifests/docker", {
    body: docker,
    headers: { "content-type": mediaType.dockerManifest },
  });
  expect((await call("GET", "/v2/app/manifests/docker")).headers.get("content-type")).toBe(mediaType.dockerManifest);
});

test("tags given with a push by digest are set, all or none", async () => {
  const { body } = await pushManifest("app", "1");
  const push = (query: string): Promise<Response> =>
    call("PUT", `/v2/app/manifests/${digestOf(body, "sha512")}?${query}`, {
      body,
      headers: { "content-type": mediaType.manifest },
    });
  const put = await push("tag=a&tag=b");
  expect([put.status, put.headers.get("oci-tag")]).toEqual([201, "a, b"]);
  expect((await call("HEAD", "/v2/app/manifests/b")).headers.get("docker-content-digest")).toBe(
    digestOf(body, "sha512"),
  );
  expect((await push("tag=c&tag=.d")).status).toBe(400);
  expect((await push(Array.from({ length: 33 }, (_, index) => `tag=t${index}`).join("&"))).status).toBe(400);
  expect(await bench.client.tags(bench.reference("app"))).toEqual(["1", "a", "b"]);
});

test("manifests that are refused", async () => {
  const put = (body: string, type: string = mediaType.manifest): Promise<Response> =>
    call("PUT", "/v2/app/manifests/1", { body, headers: { "content-type": type } });
  expect(await code(await put("{"))).toBe("MANIFEST_INVALID");
  const missing = { mediaType: "x", digest: digestOf("missing"), size: 1 };
  const dangling = await put(JSON.stringify({ schemaVersion: 2, config: missing, layers: [] }));
  expect([dangling.status, await code(dangling)]).toEqual([404, "MANIFEST_BLOB_UNKNOWN"]);
  expect(await code(await put(JSON.stringify({ schemaVersion: 2, manifests: [missing] }), mediaType.index))).toBe(
    "MANIFEST_BLOB_UNKNOWN",
  );
  const long = await put(" ".repeat(4 * 1024 * 1024 + 1));
  expect([long.status, await code(long)]).toEqual([413, "TOO_LARGE"]);
});

test("a manifest of almost 4 MB, a nested index, a layer that is elsewhere", async () => {
  const annotations = Object.fromEntries(Array.from({ length: 390 }, (_, index) => [`k${index}`, "v".repeat(10_000)]));
  const large = await pushManifest("app", "large", { annotations });
  expect(large.response.status).toBe(201);
  const child = { mediaType: mediaType.manifest, digest: digestOf(large.body), size: large.body.length };
  const index = (entry: object): string =>
    JSON.stringify({ schemaVersion: 2, mediaType: mediaType.index, manifests: [entry] });
  const headers = { "content-type": mediaType.index };
  const inner = index(child);
  expect((await call("PUT", "/v2/app/manifests/inner", { body: inner, headers })).status).toBe(201);
  const outer = index({ mediaType: mediaType.index, digest: digestOf(inner), size: inner.length });
  expect((await call("PUT", "/v2/app/manifests/outer", { body: outer, headers })).status).toBe(201);
  const foreign = {
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    digest: digestOf("far"),
    size: 3,
  };
  expect((await pushManifest("app", "foreign", { layers: [foreign] })).response.status).toBe(201);
});

test("tags: sorted, paged with Link, last is exclusive, n=0 is empty", async () => {
  expect((await call("GET", "/v2/app/tags/list")).status).toBe(404);
  for (const tag of ["b", "a", "C", "d"]) await pushManifest("app", tag);
  const list = async (query: string): Promise<{ tags: string[]; link: string | null }> => {
    const response = await call("GET", `/v2/app/tags/list${query}`);
    return { tags: ((await response.json()) as { tags: string[] }).tags, link: response.headers.get("link") };
  };
  expect(await list("")).toEqual({ tags: ["C", "a", "b", "d"], link: null });
  expect(await list("?n=2")).toEqual({ tags: ["C", "a"], link: '</v2/app/tags/list?n=2&last=a>; rel="next"' });
  expect(await list("?n=2&last=a")).toEqual({ tags: ["b", "d"], link: null });
  expect(await list("?n=0")).toEqual({ tags: [], link: null });
  expect(await list("?n=99999999999")).toEqual({ tags: ["C", "a", "b", "d"], link: null });
  for (const path of ["app/tags/list", "_catalog", `app/referrers/${digestOf("x")}`])
    for (const n of ["abc", "-1", "1.5", "0x2", "+1"]) {
      const refused = await call("GET", `/v2/${path}?n=${n}`);
      expect(refused.status).toBe(400);
      expect(await code(refused)).toBe("SIZE_INVALID");
    }
  expect(await list("?last=zzz")).toEqual({ tags: [], link: null });
  expect(await bench.client.tags(bench.reference("app"))).toEqual(["C", "a", "b", "d"]);
  const catalog = await call("GET", "/v2/_catalog");
  expect(await catalog.json()).toEqual({ repositories: ["app"] });
});

test("deleting: a tag only the tag, a digest the manifest and its tags", async () => {
  const { body } = await pushManifest("app", "1");
  await pushManifest("app", "2");
  expect((await call("DELETE", "/v2/app/manifests/1")).status).toBe(202);
  expect((await call("DELETE", "/v2/app/manifests/1")).status).toBe(404);
  expect((await call("GET", `/v2/app/manifests/${digestOf(body)}`)).status).toBe(200);
  expect((await call("DELETE", `/v2/app/manifests/${digestOf(body)}`)).status).toBe(202);
  expect((await call("GET", "/v2/app/manifests/2")).status).toBe(404);
  expect(await (await call("GET", "/v2/app/tags/list")).json()).toEqual({ name: "app", tags: [] });
});

test("referrers: listed whether the subject is there or not, filtered, annotations copied, gone when deleted", async () => {
  const subject = { mediaType: mediaType.manifest, digest: digestOf("not there"), size: 9 };
  const path = `/v2/app/referrers/${subject.digest}`;
  const empty = await call("GET", path);
  expect([empty.status, empty.headers.get("content-type")]).toEqual([200, mediaType.index]);
  expect(await empty.json()).toEqual({ schemaVersion: 2, mediaType: mediaType.index, manifests: [] });
  const one = await pushManifest("app", "one", {
    subject,
    artifactType: "application/x.sbom",
    annotations: { a: "b" },
  });
  expect(one.response.headers.get("oci-subject")).toBe(subject.digest);
  await pushManifest("app", "two", { subject });
  const all = (await (await call("GET", path)).json()) as { manifests: { artifactType: string }[] };
  expect(all.manifests.map((entry) => entry.artifactType).sort()).toEqual([
    "application/vnd.oci.image.config.v1+json",
    "application/x.sbom",
  ]);
  const filtered = await call("GET", `${path}?artifactType=application/x.sbom`);
  expect(filtered.headers.get("oci-filters-applied")).toBe("artifactType");
  expect(await filtered.json()).toMatchObject({
    manifests: [{ digest: digestOf(one.body), size: one.body.length, annotations: { a: "b" } }],
  });
  await call("DELETE", `/v2/app/manifests/${digestOf(one.body)}`);
  expect(await (await call("GET", `${path}?artifactType=application/x.sbom`)).json()).toMatchObject({ manifests: [] });
});

test("everything is there after a restart, an upload under way too", async () => {
  const { body } = await pushManifest("app", "1");
  const location = await start("app");
  await call("PATCH", location, { body: "half of " });
  await bench.registry[Symbol.asyncDispose]();
  await using again = await startRegistryServer({ directory: join(bench.directory, "registry"), port: 0 });
  const get = (path: string, init: RequestInit = {}): Promise<Response> => fetch(new URL(path, again.url), init);
  expect(await (await get("/v2/app/manifests/1")).text()).toBe(body);
  expect((await get(location)).headers.get("range")).toBe("0-7");
  const put = await get(`${location}?digest=${digestOf("half of it")}`, { method: "PUT", body: "it" });
  expect(put.status).toBe(201);
});

test("a client that leaves in the middle of a PATCH: what came is kept and told", async () => {
  const location = await start("app");
  const socket = connect(bench.registry.port, "127.0.0.1");
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n${"x".repeat(100)}`);
  await expect.poll(async () => (await call("GET", location)).headers.get("range")).toBe("0-99");
  socket.destroy();
  const patch = (): Promise<Response> =>
    call("PATCH", location, { body: "y".repeat(900), headers: { "content-range": "100-999" } });
  await expect.poll(async () => (await patch()).status).toBe(202);
  expect((await call("PUT", `${location}?digest=${digestOf("x".repeat(100) + "y".repeat(900))}`)).status).toBe(201);
});

test("two requests at one upload: one of them is refused", async () => {
  const location = await start("app");
  const results = await Promise.all(
    Array.from({ length: 4 }, () => call("PATCH", location, { body: "abc", headers: { "content-range": "0-2" } })),
  );
  expect(results.map((response) => response.status).toSorted((a, b) => a - b)).toEqual([202, 416, 416, 416]);
});

test("a blob beyond the bound is refused", async () => {
  await using small = await startRegistryServer({
    directory: join(bench.directory, "small"),
    port: 0,
    blobBytesMax: 10,
  });
  const post = (body: string): Promise<Response> =>
    fetch(`${small.url}/v2/app/blobs/uploads/?digest=${digestOf(body)}`, { method: "POST", body });
  expect((await post("0123456789")).status).toBe(201);
  const refused = await post("0123456789".repeat(100_000));
  expect([refused.status, await code(refused)]).toEqual([413, "TOO_LARGE"]);
});

test("the server reads its data from the directory it was given, and nothing beside it", async () => {
  const outside = join(bench.directory, "registry", "secret");
  await writeFile(outside, "confidential");
  await utimes(outside, 0, 0);
  for (const path of [
    "/v2/..%2fsecret/tags/list",
    "/v2/app/blobs/uploads/..%2f..%2fsecret",
    "/v2/app/manifests/..%2f..%2fsecret",
  ]) {
    const response = await call("GET", path);
    expect(response.status, path).toBeGreaterThanOrEqual(400);
    expect(await response.text()).not.toContain("confidential");
  }
  expect((await stat(outside)).size).toBe(12);
});
