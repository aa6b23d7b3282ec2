import { describe, expect, test } from "vitest";
import type { SessionRule } from "../route/policy.ts";
import { sessionHeaders, sessionToken } from "./session.ts";

const endless: SessionRule = {
  kind: "Cookie",
  name: "sid",
  isPermanent: false,
  absoluteMs: undefined,
  idleMs: undefined,
};
const hour = 3_600_000;
const start = 1_800_000_000_000;

/** The cookie that is told at `atMs`, as the client sends it, and its attributes. */
function told(rule: SessionRule, begunMs: number, atMs: number) {
  const token = { target: "default/web-00001", pod: "p", begunSeconds: begunMs / 1000 };
  const [, text = ""] = sessionHeaders(rule, token, { scheme: "https", wallMs: atMs });
  const [cookie = "", ...attributes] = text.split("; ");
  return { headers: ["cookie", `other=1; ${cookie}`], attributes };
}

describe("a session", () => {
  test("without an end is as long as the browser runs", () => {
    const { headers, attributes } = told(endless, start, start);
    expect(sessionToken(endless, headers, start + 1_000 * hour)).toMatchObject({ pod: "p" });
    expect(attributes).toEqual(["Path=/", "HttpOnly", "SameSite=Lax", "Secure"]);
  });

  test("ends so long after it began, however often its client comes, whatever the browser makes of it", () => {
    const rule = { ...endless, absoluteMs: hour };
    const later = told(rule, start, start + hour - 60_000);
    expect(sessionToken(rule, later.headers, start + hour - 1_000)).toMatchObject({ begunSeconds: start / 1000 });
    expect(sessionToken(rule, later.headers, start + hour)).toBeUndefined();
    expect(told({ ...rule, isPermanent: true }, start, start + hour - 60_000).attributes).toContain("Max-Age=60");
  });

  test("ends when its client has stayed away so long, and not while it comes", () => {
    const rule = { ...endless, idleMs: 60_000 };
    const { headers } = told(rule, start, start + hour);
    expect(sessionToken(rule, headers, start + hour + 59_000)).toBeDefined();
    expect(sessionToken(rule, headers, start + hour + 60_000)).toBeUndefined();
    expect(told({ ...rule, isPermanent: true }, start, start + hour).attributes).toContain("Max-Age=60");
  });

  test.each(["sid=abc.p", "sid=abc", "sid=abc.p.!.!", "sid=", "sid=.p.zzzzzz.zzzzzz"])(
    "whose cookie says no time is over where there is an end: %s",
    (cookie) => {
      expect(sessionToken({ ...endless, absoluteMs: hour }, ["cookie", cookie], start)).toBeUndefined();
    },
  );

  test("lasts no longer for a time to come", () => {
    const rule = { ...endless, absoluteMs: hour };
    expect(sessionToken(rule, ["cookie", "sid=abc.p.zzzzzz.zzzzzz"], start)).toMatchObject({
      begunSeconds: start / 1000,
    });
  });
});
