import { expect, test } from "vitest";
import { parseUserMap } from "./user-map.ts";

const cases: { name: string; text: string; map: Partial<ReturnType<typeof parseUserMap>> }[] = [
  { name: "no namespace", text: "         0          0 4294967295\n", map: { isWhole: true, root: 0 } },
  { name: "a system without maps", text: "", map: { isWhole: true, root: 0 } },
  {
    name: "one user",
    text: "         0       4242          1\n",
    map: { isWhole: false, idCount: 1, root: 4242, ranges: [{ first: 0, size: 1 }] },
  },
  {
    name: "subordinate ids",
    text: "         0       4242          1\n         1     100000      65536\n",
    map: { isWhole: false, idCount: 65_537, root: 4242 },
  },
  { name: "a gap", text: "0 4242 1\n10 100000 65536\n", map: { isWhole: false, idCount: 1 } },
];

test.each(cases)("the users of a namespace: $name", ({ text, map }) => expect(parseUserMap(text)).toMatchObject(map));
