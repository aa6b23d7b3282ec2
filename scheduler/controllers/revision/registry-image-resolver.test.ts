import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { RegistryClient, registryHost } from "@shallop/sdk/image";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RegistryImageResolver } from "./registry-image-resolver.ts";

const digest = `sha256:${"b".repeat(64)}`;
const { signal } = new AbortController();

/** A registry with one image, `hello:1`, and one that it does not give to anybody. */
const registry: Server = createServer((request, response) => {
  if (request.url?.includes("/secret/") === true) response.writeHead(403).end();
  else if (request.url !== "/v2/hello/manifests/1") response.writeHead(404).end();
  else {
    const headers = { "content-type": "application/vnd.oci.image.index.v1+json", "docker-content-digest": digest };
    response.writeHead(200, { ...headers, "content-length": "100" }).end();
  }
});
const client = new RegistryClient();
let host = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${String((registry.address() as AddressInfo).port)}`;
});
afterAll(async () => {
  client[Symbol.dispose]();
  await new Promise((resolve) => registry.close(resolve));
});

describe("RegistryImageResolver", () => {
  const resolve = (image: string): Promise<string> =>
    new RegistryImageResolver(client, registryHost(host), new Set(["outside:5443"])).resolve(image, signal);

  test("a tag becomes its digest; a name without host is the built-in registry's", async () => {
    expect(await resolve("hello:1")).toBe(`${host}/hello@${digest}`);
    expect(await resolve(`${host}/hello:1`)).toBe(`${host}/hello@${digest}`);
  });
  test("another name of the built-in registry becomes the one that every node knows", async () => {
    expect(await resolve("outside:5443/hello:1")).toBe(`${host}/hello@${digest}`);
    expect(await resolve(`outside:5443/hello@${digest}`)).toBe(`${host}/hello@${digest}`);
  });
  test("a digest is kept, and the registry is not asked", async () => {
    const given = `sha256:${"c".repeat(64)}`;
    expect(await resolve(`nowhere.invalid/app:1@${given}`)).toBe(`nowhere.invalid/app@${given}`);
  });
  test.each([
    ["hello:2", "IMAGE_UNKNOWN", "push it"],
    ["secret/app:1", "NOT_ALLOWED", "log in"],
    ["Not An Image", "REFERENCE_INVALID", "correct the image"],
  ])("%s: %s, and what to do", async (image, code, words) => {
    const fault = expect.objectContaining({ code, message: expect.stringContaining(words) as unknown });
    await expect(resolve(image)).rejects.toEqual(fault);
  });
});
