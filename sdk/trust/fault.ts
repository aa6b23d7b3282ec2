import { Fault } from "@shallop/sdk/internal";

export type TrustFaultCode =
  /** The text is no key that can be used. Message says which there are. */
  | "KEY_INVALID"
  /** The key is encrypted, and the password is not there or not right. */
  | "PASSWORD_WRONG"
  /** The image has no signature at all. */
  | "SIGNATURE_MISSING"
  /** It has signatures, and none of them is good. Message says what each lacks. */
  | "SIGNATURE_INVALID";

/** What can go wrong with signatures and keys. */
export class TrustFault extends Fault<TrustFaultCode> {}
