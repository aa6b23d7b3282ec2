import { Fault } from "@shallop/sdk/internal";

export type AutoscalerFaultCode =
  /** A global setting has an unknown name or a value out of its range. Message names it and what fits. */
  "CONFIG_INVALID";

export class AutoscalerFault extends Fault<AutoscalerFaultCode> {}
