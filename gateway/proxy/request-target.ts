import { normalizeHost } from "../route/host.ts";
import { GatewayFault } from "./fault-status.ts";

export interface RequestTarget {
  /** As the client named the host, port included; goes on to the guest. */
  readonly authority: string;
  /** The same as routes are looked up by it. */
  readonly host: string;
  /** Path and query, as they came: nothing is decoded, joined or shortened. Of OPTIONS, `*` is what answers, whatever it serves. */
  readonly target: string;
}

/** What OPTIONS asks of the server and not of anything that it serves (RFC 9110, 9.3.7). */
export const wholeServer = "*";

// Visible ASCII but the fragment, which no client sends (RFC 9112, 3.2; RFC 3986, 3.5).
const targetForm = /^\/[\x21\x22\x24-\x7e]*$/;

/**
 * Which host and what of it a request means. A target in absolute form (RFC 9112, 3.2.2) has to name the host that Host
 * names: two hosts in one request are refused rather than chosen from.
 * @throws GatewayFault BAD_REQUEST
 */
export function readRequestTarget(
  { method, url }: { readonly method: string; readonly url: string },
  host: string | undefined,
): RequestTarget {
  if (host === undefined) throw new GatewayFault("BAD_REQUEST", "The request has no Host.");
  const name = normalizeHost(host);
  if (name === undefined) throw new GatewayFault("BAD_REQUEST", "The Host of the request is not a host name.");
  const isOptions = method === "OPTIONS";
  if (isOptions && url === wholeServer) return { authority: host, host: name, target: wholeServer };
  let target = url;
  if (!url.startsWith("/")) {
    const absolute = /^http:\/\/([^/?#]+)([^#]*)$/i.exec(url);
    if (absolute === null) throw new GatewayFault("BAD_REQUEST", "The target of the request is none.");
    if (normalizeHost(absolute[1] ?? "") !== name)
      throw new GatewayFault("BAD_REQUEST", "The target of the request names another host than Host does.");
    const rest = absolute[2] ?? "";
    // RFC 9112, 3.2.4: the whole server is what an absolute form without a path means.
    if (isOptions && rest === "") return { authority: host, host: name, target: wholeServer };
    target = rest.startsWith("/") ? rest : `/${rest}`;
  }
  if (!targetForm.test(target)) throw new GatewayFault("BAD_REQUEST", "The target of the request is none.");
  return { authority: host, host: name, target };
}
