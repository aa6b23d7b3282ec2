import { expect, test } from "vitest";
import { withProxy } from "./start.ts";

const proxy = "http://10.88.0.1:3128";

test("a pod that has to go out by a proxy is told of it in every spelling; else nothing is said", () => {
  expect(withProxy(["A=1"], undefined)).toEqual(["A=1"]);
  expect(withProxy(["A=1"], proxy)).toEqual([
    "A=1",
    ...["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].map(
      (name) => `${name}=${proxy}`,
    ),
    "NO_PROXY=localhost,127.0.0.1,::1",
    "no_proxy=localhost,127.0.0.1,::1",
  ]);
});

test("what the pod says of itself stays, in whichever spelling", () => {
  const told = withProxy(["https_proxy=http://own:1", "NO_PROXY=*"], proxy);
  expect(told.filter((variable) => /^(https_proxy|no_proxy)=/i.test(variable))).toEqual([
    "https_proxy=http://own:1",
    "NO_PROXY=*",
  ]);
});
