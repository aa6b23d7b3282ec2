import { expect, test } from "vitest";
import { resolveUser } from "./image-user.ts";

const files = {
  passwd: "root:x:0:0:root:/root:/bin/sh\n\nbroken\nodd:x:abc:1::/:\napp:x:1000:1001::/home/app:\n123:x:7:8::/:\n",
  group: "root:x:0:\nweb:x:80:app,root\napps:x:1001:app\nlogs:x:90:app\n",
};

const cases: { user: string; result: unknown }[] = [
  { user: "", result: { uid: 0, gid: 0, additionalGids: [80] } },
  { user: "app", result: { uid: 1000, gid: 1001, additionalGids: [80, 90] } },
  { user: "app:web", result: { uid: 1000, gid: 80, additionalGids: [] } },
  { user: "1000", result: { uid: 1000, gid: 1001, additionalGids: [80, 90] } },
  { user: "4242", result: { uid: 4242, gid: 0, additionalGids: [] } },
  { user: "4242:4343", result: { uid: 4242, gid: 4343, additionalGids: [] } },
  { user: "4294967294", result: { uid: 4294967294, gid: 0, additionalGids: [] } },
  { user: "nobody", result: expect.stringContaining("/etc/passwd") },
  { user: "odd", result: expect.stringContaining("/etc/passwd") },
  { user: "app:nogroup", result: expect.stringContaining("/etc/group") },
  { user: "4294967295", result: expect.stringContaining("/etc/passwd") },
  { user: "-1", result: expect.stringContaining("/etc/passwd") },
  { user: ":0", result: expect.stringContaining("user[:group]") },
  { user: "app:", result: expect.stringContaining("user[:group]") },
  { user: "a:b:c", result: expect.stringContaining("user[:group]") },
];

test.each(cases)("user $user", ({ user, result }) => expect(resolveUser(user, files)).toEqual(result));

test("an image without files has numbers only", () => {
  expect(resolveUser("5:6", { passwd: "", group: "" })).toEqual({ uid: 5, gid: 6, additionalGids: [] });
  expect(resolveUser("root", { passwd: "", group: "" })).toMatch(/not in its/);
});
