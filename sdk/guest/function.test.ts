import { expect, test } from "vitest";
import { functionOf } from "./function.ts";

const fetch = (): Response => new Response();

test.each([
  { fetch },
  Object.assign(() => 1, { fetch }),
  new (class {
    fetch = fetch;
  })(),
  new (class {
    fetch(): Response {
      return fetch();
    }
  })(),
])("takes what has a fetch function", (exported) => {
  expect(functionOf(exported, false)).toBe(exported);
});

test.each([undefined, null, 5, "text", {}, { fetch: 5 }, () => 1])(
  "refuses %s, and says what is wanted",
  (exported) => {
    expect(() => functionOf(exported)).toThrow("export default { fetch(request) { … } }");
  },
);
