import { describe, expect, test } from "vitest";
import { allowListEgress, resolveHosts } from "./host-egress.ts";

const refused = expect.objectContaining({ code: "PROHIBITED" });
const resolve = (): Promise<{ address: string; family: number }[]> =>
  Promise.resolve([{ address: "10.1.2.3", family: 4 }]);

describe("the way out to the hosts of --allow-host", () => {
  test("without any leads nowhere", async () => {
    const egress = allowListEgress([]);
    expect(egress.allows("1.1.1.1")).toBe(false);
    expect(() => egress.checkLiteral("1.1.1.1")).toThrow(refused);
    await expect(egress.addressesOf("example.org")).rejects.toEqual(refused);
  });

  test("leads to a name's addresses, asked for once, and to nothing beside them", async () => {
    const hosts = await resolveHosts([{ host: "db.test", port: undefined }], resolve);
    const egress = allowListEgress(hosts);
    expect(await egress.addressesOf("DB.test")).toEqual([{ address: "10.1.2.3", family: 4 }]);
    expect(egress.allows("10.1.2.3")).toBe(true);
    egress.checkLiteral("10.1.2.3");
    expect(egress.allows("10.1.2.4")).toBe(false);
    await expect(egress.addressesOf("other.test")).rejects.toEqual(refused);
  });

  test("with a port is for HTTP on that port only", async () => {
    const hosts = await resolveHosts(
      [
        { host: "db.test", port: 9000 },
        { host: "::1", port: 9000 },
      ],
      resolve,
    );
    const egress = allowListEgress(hosts);
    // Sockets have no port to be judged by.
    expect(egress.allows("10.1.2.3")).toBe(false);
    egress.checkLiteral("[::1]");
    const { http, https } = await egress.agents();
    expect(() => http.request({ hostname: "db.test", port: 9001 })).toThrow(refused);
    expect(() => https.request({ hostname: "db.test" })).toThrow(refused);
    await egress.close();
  });

  test("a name without address is told before the guest starts", async () => {
    const nothing = (): Promise<never> => Promise.reject(new Error("ENOTFOUND"));
    await expect(resolveHosts([{ host: "gone.test", port: undefined }], nothing)).rejects.toMatchObject({
      code: "HOST_UNKNOWN",
    });
  });
});
