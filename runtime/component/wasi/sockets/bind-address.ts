import type { EgressPolicy } from "../../egress/egress.ts";
import { err, ok, type Result } from "../result.ts";
import {
  addressText,
  type IpFamily,
  type IpSocketAddress,
  isLocal,
  isLoopback,
  isUnspecified,
  loopbackAddress,
} from "./ip-address.ts";
import type { NetworkErrorCode } from "./network-error.ts";

/** The address that a guest's socket is bound to when it asks for `address`: loopback, and only with leave to listen. */
export function bindAddress(
  address: IpSocketAddress,
  family: IpFamily,
  policy: EgressPolicy,
): Result<string, NetworkErrorCode> {
  if (!isLocal(address, family)) return err("invalid-argument");
  if (!policy.listen) return err("access-denied");
  if (isUnspecified(address)) return ok(loopbackAddress[family]);
  return isLoopback(address) ? ok(addressText(address)) : err("access-denied");
}
