import fc from "fast-check";
import { describe, expect, test } from "vitest";
// The standard's reference implementation: Node has bugs in the parameters' percent-decoding.
import { URL as ReferenceURL, URLSearchParams as ReferenceParams } from "whatwg-url";
import { URL as GuestURL } from "./url.ts";
import { URLSearchParams as GuestParams } from "./url-search-params.ts";

const parts = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;

type AnyURL = Pick<URL, (typeof parts)[number]> & { readonly searchParams: Iterable<[string, string]> };

function shown(make: () => AnyURL): unknown {
  let url: AnyURL;
  try {
    url = make();
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return "invalid";
  }
  return [...parts.map((part) => url[part]), [...url.searchParams]];
}

function sameAsReference(text: string, base?: string): void {
  expect(
    shown(() => new GuestURL(text, base)),
    text,
  ).toEqual(shown(() => new ReferenceURL(text, base)));
}

describe("URL", () => {
  test.each([
    "http://hello.example.com/",
    "http://hello.example.com",
    "https://a.b/c/d?e=f&g=%20#h",
    "http://a.b:80/",
    "http://a.b:8080/x",
    "https://a.b:443/x",
    "http://a.b:65535",
    "http://a.b:65536",
    "http://a.b:99999",
    "http://127.0.0.1:8080/x?y",
    "http://127.1/",
    "http://1.2.3.256/",
    "http://01.2.3.4/",
    "http://0x7f.1/",
    "http://a.0x7f/",
    "http://[::1]:3000/x",
    "http://a.b/./c/../d",
    "http://a.b/%2e%2E/d",
    "http://a.b/.well-known/x",
    "http://a.b/x/..",
    "http://a.b/x?",
    "http://a.b/x#",
    "http://a.b/x?#",
    "http://a.b/x??y=1#?z",
    "http://a.b/x?y='z'",
    "http://a.b/it's",
    "http://a.b/x y",
    "http://a.b\\c",
    "http://user:pass@a.b/",
    "HTTP://A.B/C",
    " http://a.b/ ",
    "http://xn--mnchen-3ya.de/",
    "http://münchen.de/",
    "http://a_b.c/",
    "http://a..b/",
    "http://a.b./",
    "http:/a.b/",
    "http:a",
    "data:text/plain,x",
    "mailto:a@b",
    "file:///etc/passwd",
    "not a url",
    "",
    "//a.b/",
    "http://a.b/%zz?%zz",
    "http://a.b/ä?ö#ü",
  ])("%j is what the reference makes of it", (text) => sameAsReference(text));

  test.each(["/x/y?z", "x", "../x", "//c.d/x", "/\\c.d", "?q", "#h", "", "https://c.d/x", "/./x", "http:/x"])(
    "%j on a base is what the reference makes of it",
    (text) => {
      for (const base of ["http://a.b:8080/c/d?e#f", "http://A.B/c", "mailto:x@y", "nothing"])
        sameAsReference(text, base);
    },
  );

  test("anything near a URL is read as the reference reads it", () => {
    const piece = fc.constantFrom(
      ..."http:// https:// a.b 127.0.0.1 1 :80 :443 :8080 / . .. %2e %2E ? & = + %41 %zz # @ \\ ' \" < [::1] xn-- é \t x-y_z ~ ! ;".split(
        " ",
      ),
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, isLed) => {
        sameAsReference(`${isLed ? "http://a.b" : ""}${pieces.join("")}`);
      }),
      { numRuns: 3000 },
    );
  });

  test("what is set is set as in the reference, and its parameters follow", () => {
    for (const [part, value] of [
      ["href", "https://c.d/e?f=g"],
      ["protocol", "https"],
      ["username", "ü"],
      ["password", "p"],
      ["host", "c.d:99"],
      ["hostname", "c.d"],
      ["port", "81"],
      ["pathname", "x y/../z"],
      ["search", "a=1&b=2"],
      ["search", ""],
      ["hash", "h h"],
    ] as const) {
      const change = <U extends AnyURL>(url: U): U => {
        // Made before the change: they are to follow.
        expect([...url.searchParams]).toEqual([["q", "1"]]);
        Reflect.set(url, part, value);
        return url;
      };
      const from = "http://a.b/p?q=1#h";
      expect(
        shown(() => change(new GuestURL(from))),
        part,
      ).toEqual(shown(() => change(new ReferenceURL(from))));
    }
  });

  test("its query follows its parameters", () => {
    const url = new GuestURL("http://a.b/p?q=1#h");
    url.searchParams.append("r", "ä b");
    expect(url.href).toBe("http://a.b/p?q=1&r=%C3%A4+b#h");
    url.searchParams.delete("q");
    url.searchParams.delete("r");
    expect(url.href).toBe("http://a.b/p#h");
  });

  test("parse, canParse and its forms as text", () => {
    expect(GuestURL.parse("nothing")).toBeNull();
    expect(GuestURL.canParse("nothing")).toBe(false);
    expect(GuestURL.canParse("x", "http://a.b")).toBe(true);
    const url = new GuestURL("http://a.b");
    expect([String(url), JSON.stringify(url)]).toEqual(["http://a.b/", '"http://a.b/"']);
    expect(new GuestURL(url).href).toBe(url.href);
  });
});

describe("URLSearchParams", () => {
  const anyText = fc.string({
    unit: fc.constantFrom(..."ab+ %&=?~!'()*-._é€".split(""), "😀", "\ud800", "%41", "%C3%A9", "%ff", "%2"),
  });

  test("reads and writes any text as the reference does", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const mine = new GuestParams(text);
        const theirs = new ReferenceParams(text);
        expect([...mine]).toEqual([...theirs]);
        expect(String(mine)).toBe(String(theirs));
      }),
      { numRuns: 1000 },
    );
  });

  test("any changes give what they give in the reference", () => {
    const name = fc.constantFrom("a", "b", "é", "\ud800");
    const change = fc.oneof(
      fc.tuple(fc.constant("append" as const), name, anyText),
      fc.tuple(fc.constant("set" as const), name, anyText),
      fc.tuple(fc.constant("delete" as const), name),
      fc.tuple(fc.constant("delete" as const), name, anyText),
      fc.tuple(fc.constant("sort" as const)),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 10 }), (changes) => {
        const mine = new GuestParams("b=1&a=2&b=3");
        const theirs = new ReferenceParams("b=1&a=2&b=3");
        for (const [method, ...values] of changes) {
          for (const params of [mine, theirs]) Reflect.apply(params[method] as () => void, params, values);
        }
        expect([...mine]).toEqual([...theirs]);
        expect([mine.size, mine.get("b"), mine.getAll("b"), mine.has("a"), mine.has("b", "3")]).toEqual([
          theirs.size,
          theirs.get("b"),
          theirs.getAll("b"),
          theirs.has("a"),
          theirs.has("b", "3"),
        ]);
      }),
    );
  });

  test("is made of pairs, of an object, of another one", () => {
    expect(
      String(
        new GuestParams([
          ["a", "1"],
          ["a", "2"],
        ]),
      ),
    ).toBe("a=1&a=2");
    expect(String(new GuestParams({ a: "1", b: "2" }))).toBe("a=1&b=2");
    expect(String(new GuestParams(new GuestParams("?x=y")))).toBe("x=y");
    expect(() => new GuestParams([["a"]])).toThrow(TypeError);
    expect([...new GuestParams("a=1&b=2").keys()]).toEqual(["a", "b"]);
    expect([...new GuestParams("a=1&b=2").values()]).toEqual(["1", "2"]);
  });
});
