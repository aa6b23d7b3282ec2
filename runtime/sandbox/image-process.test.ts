import { guestLimitDefaults } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import type { PodLaunch } from "../pod/pod-runtime.ts";
import { imageProcess } from "./image-process.ts";

const config = {
  env: ["A=image", "B=image"],
  entrypoint: ["/entry"],
  cmd: ["cmd"],
  workingDir: "",
  user: "3:4",
  exposedPorts: [],
};
const image = { variant: "native", digest: "sha256:1", layerPaths: [], config, sizeBytes: 0 } as const;
const launch = {
  namespace: "default",
  name: "hello",
  uid: "u",
  image,
  env: [
    { name: "B", value: "launch" },
    { name: "C", value: "a=b" },
  ],
  port: 8080,
  limits: {
    ...guestLimitDefaults,
    memoryBytes: 1,
    cpu: 1,
    pidsMax: 1,
    requestTimeoutMs: 1,
    concurrencyMax: 0,
    startTimeoutMs: 1,
  },
};

const commands: { name: string; launch: Partial<Pick<PodLaunch, "command" | "args">>; args: readonly string[] }[] = [
  { name: "the image's own", launch: {}, args: ["/entry", "cmd"] },
  { name: "args replace cmd", launch: { args: ["x"] }, args: ["/entry", "x"] },
  { name: "command drops cmd", launch: { command: ["/other"] }, args: ["/other"] },
  { name: "both", launch: { command: ["/other"], args: ["x"] }, args: ["/other", "x"] },
];
test.each(commands)("$name", async ({ launch: changes, args }) => {
  expect((await imageProcess({ ...launch, ...changes }, [])).args).toEqual(args);
});

test("the launch's environment wins over the image's, and PATH is never missing", async () => {
  const { env, user, cwd } = await imageProcess(launch, []);
  expect(env).toEqual([expect.stringMatching(/^PATH=\/usr\/local\/sbin:/), "A=image", "B=launch", "C=a=b"]);
  expect([user, cwd]).toEqual([{ uid: 3, gid: 4, additionalGids: [] }, "/"]);
});

test("more than a megabyte of environment is refused before the kernel would", async () => {
  const env = Array.from({ length: 20 }, (_, index) => ({ name: `N${index}`, value: "x".repeat(100_000) }));
  await expect(imageProcess({ ...launch, env }, [])).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  expect((await imageProcess({ ...launch, env: env.slice(0, 10) }, [])).env.length).toBe(13);
});
