// A DNS name is at most 253 characters (RFC 1035, 2.3.4), here with a trailing dot, a colon and five digits of a port.
const authorityCharsMax = 253 + 1 + 6;
const authorityForm = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)\.?(?::[0-9]{1,5})?$/i;
const literalForm = /^\[[0-9a-f:.]+\](?::[0-9]{1,5})?$/i;

/**
 * The name in a Host header or a request target's authority, as routes are looked up by it: lower case, no trailing
 * dot, no port. An address literal comes back as it is and will match nothing. Undefined when the text is no authority
 * (RFC 9110, 7.2): such a request is refused, not routed.
 */
export function normalizeHost(authority: string): string | undefined {
  if (authority.length > authorityCharsMax) return undefined;
  const match = authorityForm.exec(authority);
  if (match === null) return literalForm.test(authority) ? authority.toLowerCase() : undefined;
  return match[1]?.toLowerCase();
}
