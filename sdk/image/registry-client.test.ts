import { systemClock } from "@shallop/sdk/internal";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Digest, digestOf } from "./digest.ts";
import type { CredentialSource } from "./docker-credentials.ts";
import { checkOnward } from "./http-exchange.ts";
import type { Descriptor } from "./manifest.ts";
import { mediaType } from "./media-types.ts";
import { type ImageReference, parseReference, repositoryName } from "./reference.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
import { FakeRegistry } from "./registry.fake.ts";

let fake: FakeRegistry;
let other: FakeRegistry;
const clients: RegistryClient[] = [];
const slept: number[] = [];

/** Real time, but nobody waits: pauses are noted. */
const clock = {
  ...systemClock,
  sleep: (delayMs: number) => {
    slept.push(delayMs);
    return Promise.resolve();
  },
};

beforeEach(async () => {
  slept.length = 0;
  fake = await FakeRegistry.start();
  other = await FakeRegistry.start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

function openClient(options: RegistryClientOptions = {}): RegistryClient {
  const client = new RegistryClient({ clock, random: seededRandom(1), ...options });
  clients.push(client);
  return client;
}

const reference = (text = "app:1"): ImageReference => parseReference(text, { defaultRegistry: fake.host });
const layer = Buffer.from("0123456789".repeat(100));
const descriptor: Descriptor = { mediaType: mediaType.wasmLayer, digest: digestOf(layer), size: layer.length };
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.manifest, config: descriptor, layers: [] });
const manifestDigest = digestOf(manifest);
const blobPath = `/v2/app/blobs/${descriptor.digest}`;
const manifestHeaders = {
  "content-type": mediaType.manifest,
  "docker-content-digest": manifestDigest,
  "content-length": manifest.length,
};

async function read(client: RegistryClient, wanted = descriptor): Promise<string> {
  let text = "";
  for await (const chunk of client.blob(reference(), wanted)) text += new TextDecoder().decode(chunk);
  return text;
}

describe("resolve", () => {
  test("by HEAD; by GET where HEAD is no help", async () => {
    const client = openClient();
    fake.on("HEAD /v2/app/manifests/1", (_, response) => response.writeHead(200, manifestHeaders).end());
    expect(await client.resolve(reference())).toEqual({
      mediaType: mediaType.manifest,
      digest: manifestDigest,
      size: manifest.length,
    });
    fake.on("GET /v2/app/manifests/1", (_, response) =>
      response.writeHead(200, { "content-type": mediaType.manifest }).end(manifest),
    );
    for (const status of [400, 405]) {
      fake.on("HEAD /v2/app/manifests/1", (_, response) => response.writeHead(status).end());
      expect((await client.resolve(reference())).digest).toBe(manifestDigest);
    }
    fake.on("HEAD /v2/app/manifests/1", (_, response) =>
      response.writeHead(200, { "content-type": mediaType.manifest }).end(),
    );
    expect((await client.resolve(reference())).digest).toBe(manifestDigest);
    expect(fake.seen("GET /v2/app/manifests/1")[0]?.headers.accept).toContain(mediaType.index);
  });

  test("a tag that moves between HEAD and GET: what is read is what was resolved, or nothing", async () => {
    const client = openClient();
    fake.on("HEAD /v2/app/manifests/1", (_, response) => response.writeHead(200, manifestHeaders).end());
    fake.on(`GET /v2/app/manifests/${manifestDigest}`, (_, response) =>
      response.writeHead(200, { "content-type": mediaType.manifest }).end(manifest.replace("2", "2 ")),
    );
    const { digest } = await client.resolve(reference());
    await expect(client.manifest({ ...reference(), digest })).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  test("a registry that answers a digest with another is not believed", async () => {
    const digest = digestOf("asked");
    fake.on(`HEAD /v2/app/manifests/${digest}`, (_, response) => response.writeHead(200, manifestHeaders).end());
    await expect(openClient().resolve({ ...reference(), digest })).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  test("unknown", async () => {
    await expect(openClient().resolve(reference())).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
  });
});

describe("manifest", () => {
  const rows: readonly {
    readonly name: string;
    readonly headers: Record<string, string>;
    readonly body: string;
    readonly code: string;
  }[] = [
    {
      name: "a web page",
      headers: { "content-type": "text/html" },
      body: "<html>login</html>",
      code: "MANIFEST_INVALID",
    },
    { name: "no JSON", headers: { "content-type": mediaType.manifest }, body: "{", code: "MANIFEST_INVALID" },
    {
      name: "another type than it says",
      headers: { "content-type": mediaType.index },
      body: manifest,
      code: "MANIFEST_INVALID",
    },
    {
      name: "too long, and says so",
      headers: { "content-type": mediaType.manifest, "content-length": "999999999" },
      body: "{",
      code: "TOO_LARGE",
    },
    {
      name: "too long, and does not say so",
      headers: { "content-type": mediaType.manifest },
      body: " ".repeat(5_000_000),
      code: "TOO_LARGE",
    },
  ];
  test.each(rows)("$name", async ({ headers, body, code }) => {
    fake.on("GET /v2/app/manifests/1", (_, response) => {
      response.writeHead(200, headers);
      response.write(body);
      if (headers["content-length"] === undefined) response.end();
    });
    await expect(openClient().manifest(reference())).rejects.toMatchObject({ code });
  });
});

describe("blob", () => {
  test("right bytes come; wrong ones never whole", async () => {
    const client = openClient();
    fake.on(`GET ${blobPath}`, (_, response) => response.end(layer));
    expect(await read(client)).toBe(layer.toString());
    fake.on(`GET ${blobPath}`, (_, response) => response.end(Buffer.alloc(layer.length, 1)));
    await expect(read(client)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    fake.on(`GET ${blobPath}`, (_, response) => response.end(layer.subarray(1)));
    await expect(read(client)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
    fake.on(`GET ${blobPath}`, (_, response) => {
      // Chunked: nothing says how long it is.
      response.write(layer);
      response.end(layer);
    });
    await expect(read(client)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
    fake.on(`GET ${blobPath}`, (_, response) => response.writeHead(404).end());
    await expect(read(client)).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
  });

  test("a connection that breaks is taken up where it broke, whatever the registry makes of Range", async () => {
    const client = openClient();
    const cuts = [100, 350, 351];
    let call = 0;
    fake.on(`GET ${blobPath}`, ({ headers }, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
      const honours = call !== 2;
      const from = honours ? start : 0;
      response.writeHead(from > 0 ? 206 : 200, {
        "content-length": layer.length - from,
        ...(from > 0 ? { "content-range": `bytes ${from}-999/1000` } : {}),
      });
      const cut = cuts[call++];
      if (cut === undefined) response.end(layer.subarray(from));
      else response.write(layer.subarray(from, cut), () => response.destroy());
    });
    expect(await read(client)).toBe(layer.toString());
    expect(fake.seen(`GET ${blobPath}`).map((request) => request.headers.range)).toEqual([
      undefined,
      "bytes=100-",
      "bytes=350-",
      "bytes=351-",
    ]);
  });

  test("a registry that gives another part than asked for is not believed", async () => {
    let call = 0;
    fake.on(`GET ${blobPath}`, (_, response) => {
      if (call++ === 0)
        response.writeHead(200, { "content-length": 1000 }).write(layer.subarray(0, 10), () => response.destroy());
      else response.writeHead(206, { "content-range": "bytes 500-999/1000" }).end(layer.subarray(500));
    });
    await expect(read(openClient())).rejects.toMatchObject({ code: "REGISTRY_INVALID" });
  });

  test("one that always breaks is given up", async () => {
    fake.on(`GET ${blobPath}`, (_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.flushHeaders();
      response.destroy();
    });
    await expect(read(openClient())).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE", retryable: true });
    expect(slept.length).toBeGreaterThan(3);
  });

  test("one that drips is given up: silence is bounded elsewhere, slowness here", async () => {
    // An hour passes at each look.
    let nowMs = 0;
    const client = openClient({ clock: { ...clock, nowMs: () => (nowMs += 3_600_000) } });
    fake.on(`GET ${blobPath}`, (_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write("0");
    });
    await expect(read(client)).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  });

  test("aborting ends it with the reason", async () => {
    const controller = new AbortController();
    fake.on(`GET ${blobPath}`, (_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write("0123");
      setImmediate(() => controller.abort(new Error("enough")));
    });
    const drain = async (): Promise<void> => {
      for await (const _ of openClient().blob(reference(), descriptor, { signal: controller.signal }));
    };
    await expect(drain()).rejects.toThrow("enough");
  });
});

describe("retries", () => {
  test("503 and broken connections are tried again, with growing pauses", async () => {
    let call = 0;
    fake.on("HEAD /v2/app/manifests/1", (_, response) => {
      if (call === 0) response.writeHead(503).end();
      else if (call === 1) response.destroy();
      else response.writeHead(200, manifestHeaders).end();
      call++;
    });
    await openClient().resolve(reference());
    expect(slept).toHaveLength(2);
    expect(slept[0]).toBeGreaterThanOrEqual(125);
    expect(slept[1]).toBeGreaterThanOrEqual(250);
  });

  test("Retry-After is kept to, as seconds and as date; one that is too long is told", async () => {
    let header = "7";
    let call = 0;
    fake.on("HEAD /v2/app/manifests/1", (_, response) => {
      if (call++ % 2 === 0) response.writeHead(429, { "retry-after": header }).end();
      else response.writeHead(200, manifestHeaders).end();
    });
    await openClient().resolve(reference());
    expect(slept).toEqual([7_000]);
    header = new Date(clock.wallMs() + 20_000).toUTCString();
    await openClient().resolve(reference());
    expect(slept[1]).toBeGreaterThan(15_000);
    header = "3600";
    await expect(openClient().resolve(reference())).rejects.toMatchObject({ code: "RATE_LIMITED" });
  });

  test("a registry that is not there", async () => {
    await fake[Symbol.asyncDispose]();
    await expect(openClient().resolve(reference())).rejects.toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable: true,
    });
    fake = await FakeRegistry.start();
  });

  test("what a registry says is shown without control characters", async () => {
    fake.on("GET /v2/app/tags/list", (_, response) =>
      response.writeHead(403).end(JSON.stringify({ errors: [{ code: "DENIED", message: "no\u001b[31m way" }] })),
    );
    const failed = openClient().tags(reference());
    await expect(failed).rejects.toMatchObject({ code: "DENIED" });
    await expect(failed).rejects.toThrow(/DENIED: no \[31m way/);
  });
});

describe("login", () => {
  const credentials: CredentialSource = {
    credentials: () => Promise.resolve({ kind: "basic", username: "u", password: "p" }),
  };
  const basic = `Basic ${Buffer.from("u:p").toString("base64")}`;

  function demand(challenge: string, accepted: string): void {
    fake.on("HEAD /v2/app/manifests/1", ({ headers }, response) => {
      if (headers.authorization === accepted) response.writeHead(200, manifestHeaders).end();
      else response.writeHead(401, { "www-authenticate": challenge }).end();
    });
  }

  test("bearer: the token is asked for with the login, once for a scope, and again when it ends", async () => {
    let nowMs = 0;
    const client = openClient({ credentials, clock: { ...clock, nowMs: () => nowMs } });
    demand(`Bearer realm="${fake.url}/token",service="reg",scope="repository:app:pull"`, "Bearer t1");
    fake.on("GET /token", (_, response) => response.end(JSON.stringify({ token: "t1", expires_in: 100 })));
    await client.resolve(reference());
    await client.resolve(reference());
    const asked = fake.seen("GET /token");
    expect(asked).toHaveLength(1);
    expect(asked[0]?.headers.authorization).toBe(basic);
    expect(new URL(asked[0]!.path, "http://x").searchParams.getAll("scope")).toEqual(["repository:app:pull"]);
    nowMs = 95_000;
    await client.resolve(reference());
    expect(fake.seen("GET /token")).toHaveLength(2);
  });

  test("bearer without a login, and with an identity token", async () => {
    demand(`Bearer realm="${fake.url}/token",service="reg"`, "Bearer anonymous");
    fake.on("GET /token", (_, response) => response.end(JSON.stringify({ access_token: "anonymous" })));
    await openClient().resolve(reference());
    expect(fake.seen("GET /token")[0]?.headers.authorization).toBeUndefined();
    fake.on("POST /token", (_, response) => response.end(JSON.stringify({ access_token: "anonymous" })));
    await openClient({
      credentials: { credentials: () => Promise.resolve({ kind: "identity-token", token: "it" }) },
    }).resolve(reference());
    expect(fake.seen("POST /token")[0]?.body).toContain("refresh_token=it");
  });

  test("basic", async () => {
    demand('Basic realm="x"', basic);
    await openClient({ credentials }).resolve(reference());
    await expect(openClient().resolve(reference())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("a wrong login is tried once, not for ever", async () => {
    demand('Basic realm="x"', "never");
    await expect(openClient({ credentials }).resolve(reference())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    expect(fake.requests).toHaveLength(2);
    demand(`Bearer realm="${fake.url}/token"`, "never");
    fake.on("GET /token", (_, response) => response.writeHead(401).end());
    await expect(openClient({ credentials }).resolve(reference())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("a realm that is no place to send a login to is refused", async () => {
    for (const realm of [
      "",
      "ftp://x/",
      "file:///etc/passwd",
      "http://169.254.169.254/token",
      `http://u:p@${other.host}/`,
    ]) {
      demand(`Bearer realm="${realm}"`, "never");
      await expect(openClient({ credentials }).resolve(reference()), realm).rejects.toMatchObject({
        code: "REGISTRY_INVALID",
      });
    }
    expect(other.requests).toEqual([]);
  });

  test("a token that is none is refused", async () => {
    demand(`Bearer realm="${fake.url}/token"`, "never");
    for (const body of ["", "{}", '{"token":"a\\r\\nb"}', '{"token":7}', "[]"]) {
      fake.on("GET /token", (_, response) => response.end(body));
      await expect(openClient({ credentials }).resolve(reference()), body).rejects.toMatchObject({
        code: "REGISTRY_INVALID",
      });
    }
  });

  test("an Authorization header never follows a redirect to another host", async () => {
    demand('Basic realm="x"', basic);
    const client = openClient({ credentials });
    await client.resolve(reference());
    fake.on(`GET ${blobPath}`, (_, response) => response.writeHead(307, { location: `${other.url}/stored` }).end());
    other.on("GET /stored", (_, response) => response.end(layer));
    expect(await read(client)).toBe(layer.toString());
    expect(fake.seen(`GET ${blobPath}`)[0]?.headers.authorization).toBe(basic);
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
  });

  test("redirects without end, and to where nobody may be sent", async () => {
    const client = openClient();
    fake.on(`GET ${blobPath}`, (_, response) => response.writeHead(302, { location: blobPath }).end());
    await expect(read(client)).rejects.toMatchObject({ code: "REGISTRY_INVALID" });
    expect(fake.seen(`GET ${blobPath}`)).toHaveLength(6);
    for (const location of ["http://169.254.169.254/latest", "file:///etc/passwd", "http://[fe80::1]/"]) {
      fake.on(`GET ${blobPath}`, (_, response) => response.writeHead(302, { location }).end());
      await expect(read(client), location).rejects.toMatchObject({ code: "REGISTRY_INVALID" });
    }
  });

  test("an endpoint override: its token with each request, its host in place of the registry's", async () => {
    const client = openClient({ endpoints: new Map([["registry.example:5000", { url: fake.url, token: "node" }]]) });
    fake.on("HEAD /v2/app/manifests/1", (_, response) => response.writeHead(200, manifestHeaders).end());
    await client.resolve(parseReference("registry.example:5000/app:1", { defaultRegistry: "x" }));
    expect(fake.requests[0]?.headers.authorization).toBe("Bearer node");
  });
});

test("checkOnward: from the outside nobody is sent inside", () => {
  const allowed = (from: string, to: string): boolean => {
    try {
      checkOnward(new URL(from), new URL(to), "redirects");
      return true;
    } catch {
      return false;
    }
  };
  for (const to of ["https://cdn.example/x", "https://8.8.8.8/", "https://registry.example/other"]) {
    expect(allowed("https://registry.example", to), to).toBe(true);
  }
  for (const to of [
    "http://cdn.example/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://localhost/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://u:p@cdn.example/",
  ]) {
    expect(allowed("https://registry.example", to), to).toBe(false);
  }
  expect(allowed("http://127.0.0.1:5000", "http://127.0.0.1:6000/")).toBe(true);
});

describe("push", () => {
  const source = { descriptor, open: (offset: number) => chunksOf(layer.subarray(offset)) };
  const uploads = "/v2/app/blobs/uploads/";

  async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
    for (let offset = 0; offset < bytes.length; offset += 300) yield bytes.subarray(offset, offset + 300);
  }

  test("what is there is not sent", async () => {
    fake.on(`HEAD ${blobPath}`, (_, response) => response.writeHead(200).end());
    expect(await openClient().pushBlob(reference(), source)).toBe("present");
    expect(fake.requests).toHaveLength(1);
  });

  test("one POST, one PUT; a relative and a signed location are followed", async () => {
    fake.on(`POST ${uploads}`, (_, response) => response.writeHead(202, { location: "/upload/1?state=a%2Fb" }).end());
    fake.on("PUT /upload/1", (_, response) => response.writeHead(201).end());
    expect(await openClient().pushBlob(reference(), source)).toBe("uploaded");
    const put = fake.seen("PUT /upload/1")[0];
    expect(put?.body).toBe(layer.toString());
    expect(put?.headers["content-length"]).toBe("1000");
    expect(new URL(put!.path, "http://x").searchParams.get("state")).toBe("a/b");
    expect(new URL(put!.path, "http://x").searchParams.get("digest")).toBe(descriptor.digest);
  });

  test("a mount saves the transfer; one that is refused becomes an upload", async () => {
    const mountFrom = repositoryName("base");
    fake.on(`POST ${uploads}`, (_, response) => response.writeHead(201).end());
    expect(await openClient().pushBlob(reference(), source, { mountFrom })).toBe("mounted");
    expect(fake.seen(`POST ${uploads}`)[0]?.path).toContain("from=base");
    fake.on(`POST ${uploads}`, (_, response) => response.writeHead(202, { location: "/upload/1" }).end());
    fake.on("PUT /upload/1", (_, response) => response.writeHead(201).end());
    expect(await openClient().pushBlob(reference(), source, { mountFrom })).toBe("uploaded");
  });

  test("an upload that breaks is started again from the beginning", async () => {
    let session = 0;
    fake.on(`POST ${uploads}`, (_, response) => response.writeHead(202, { location: `/upload/${++session}` }).end());
    fake.on("PUT /upload/1", (_, response) => response.destroy());
    fake.on("PUT /upload/2", (_, response) => response.writeHead(201).end());
    expect(await openClient().pushBlob(reference(), source)).toBe("uploaded");
    expect(fake.seen("PUT /upload/2")[0]?.body).toBe(layer.toString());
  });

  test("a large blob goes in pieces; after a lost one the registry is asked how far it is", async () => {
    const size = 70 * 1024 * 1024;
    const large = { descriptor: { ...descriptor, digest: `sha256:${"a".repeat(64)}` as Digest, size }, open: zeros };
    async function* zeros(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
      const chunk = new Uint8Array(1024 * 1024);
      for (let sent = offset; sent < size; sent += chunk.length)
        yield chunk.subarray(0, Math.min(chunk.length, size - sent));
    }
    let received = 0;
    let failed = false;
    fake.on(`POST ${uploads}`, (_, response) => response.writeHead(202, { location: "/upload/1" }).end());
    fake.on("PATCH /upload/1", ({ headers, body }, response) => {
      const [first] = String(headers["content-range"]).split("-").map(Number);
      if (received > 0 && !failed) {
        // Took a part of it, and broke.
        failed = true;
        received += 1000;
        response.destroy();
      } else if (first !== received) response.writeHead(416).end();
      else {
        received += body.length;
        response.writeHead(202, { location: "/upload/1", range: `0-${received - 1}` }).end();
      }
    });
    fake.on("GET /upload/1", (_, response) => response.writeHead(204, { range: `0-${received - 1}` }).end());
    fake.on("PUT /upload/1", (_, response) => response.writeHead(received === size ? 201 : 400).end());
    expect(await openClient().pushBlob(reference(), large)).toBe("uploaded");
    expect(fake.seen("GET /upload/1")).toHaveLength(1);
  });

  test("a registry that stores another manifest than was sent is found out", async () => {
    fake.on("PUT /v2/app/manifests/1", (_, response) =>
      response.writeHead(201, { "docker-content-digest": digestOf("other") }).end(),
    );
    const pushed = openClient().pushManifest(reference(), {
      bytes: Buffer.from(manifest),
      mediaType: mediaType.manifest,
    });
    await expect(pushed).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });
});

test("tags: pages are followed, a page without news ends it, nonsense is refused", async () => {
  fake.on("GET /v2/app/tags/list", ({ path }, response) => {
    const last = new URL(path, "http://x").searchParams.get("last");
    response.setHeader("link", `</v2/app/tags/list?n=1000&last=${last === null ? "a" : "b"}>; rel="next"`);
    response.end(JSON.stringify({ name: "app", tags: last === null ? ["a"] : last === "a" ? ["b"] : [] }));
  });
  expect(await openClient().tags(reference())).toEqual(["a", "b"]);
  for (const body of ["<html>", '{"tags":["a/b"]}', '{"tags":{}}', '{"tags":[1]}']) {
    fake.on("GET /v2/app/tags/list", (_, response) => response.end(body));
    await expect(openClient().tags(reference()), body).rejects.toMatchObject({ code: "REGISTRY_INVALID" });
  }
});
