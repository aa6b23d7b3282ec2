import punycode from "punycode/punycode.js";

/**
 * Stands in for `tr46` in whatwg-url, whose Unicode tables would be a third of a small component: lower case, NFC and
 * Punycode, without the mapping of look-alikes. RFC 3492; UTS 46 in part.
 */
export function toASCII(domain: string): string | null {
  const ascii = punycode.toASCII(domain.normalize("NFC").toLowerCase());
  return ascii.split(".").some((label) => label.length > 63) ? null : ascii;
}

export const toUnicode = (domain: string): { domain: string; error: boolean } => ({
  domain: punycode.toUnicode(domain),
  error: false,
});
