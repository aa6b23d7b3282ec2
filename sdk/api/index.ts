export {
  anyHost,
  attach,
  type Attachment,
  commonHosts,
  covers,
  type CrossReference,
  isGranted,
  type NamespaceLabels,
  selects,
} from "./attachment.ts";
export {
  apiService,
  apiServiceNames,
  clusterAddressesMax,
  clusterDomain,
  isServiceAddress,
  isStandInAddress,
  serviceAddress,
  serviceRange,
  standInAddress,
  standInRange,
} from "./cluster-network.ts";
export { conditionOf, humanDuration } from "./columns.ts";
export { type Conformed, conform, missingFields } from "./conform.ts";
export type * from "./core.ts";
export { ApiFault, type ApiFaultCode, type StatusCause, type StatusDetails } from "./fault.ts";
export {
  dig,
  isJsonList,
  isJsonObject,
  type Json,
  jsonEqual,
  type JsonObject,
  listAt,
  numberAt,
  objectAt,
  textAt,
  textsAt,
  withAt,
} from "./json.ts";
export {
  type Column,
  type KindDefinition,
  type Subresource,
  type ValidationSettings,
  type Verb,
  withDefaults,
} from "./kind.ts";
export { kindAt, kindOf, kinds } from "./kinds.ts";
export { guestLimitsOf } from "./limits.ts";
export {
  type BalanceRules,
  balanceRulesOf,
  type HoldRules,
  holdRulesOf,
  type WebSocketRules,
  webSocketRulesOf,
} from "./traffic-annotations.ts";
export { instanceReuseOf } from "./reuse.ts";
export { isPodSecurityLevel, type PodSecurityLevel, podSecurityViolations } from "./validation/pod-security.ts";
export type * from "./gateway-api.ts";
export type * from "./image-policy.ts";
export type * from "./meta.ts";
export {
  annotation,
  autoscalingPrefix,
  gatewayController,
  gatewayGroup,
  label,
  networkingGroup,
  secretType,
  servingGroup,
  shallopGroup,
} from "./names.ts";
export type * from "./network.ts";
export { parseQuantity } from "./quantity.ts";
export {
  configMaps,
  apiVersionOf,
  configurations,
  coreServices,
  domainMappings,
  imagePolicies,
  endpointSlices,
  events,
  gatewayClasses,
  gateways,
  httpRoutes,
  ingressClasses,
  ingresses,
  namespaces,
  nodeMetrics,
  nodes,
  podMetrics,
  podDisruptionBudgets,
  pods,
  referenceGrants,
  type Resource,
  revisions,
  routes,
  secrets,
  services,
  trafficPolicies,
} from "./resources.ts";
export { referencesOf } from "./pod-references.ts";
export type {
  Configuration,
  FailedNode,
  PreparedNode,
  RevisionScaling,
  Revision,
  RevisionSpec,
  RevisionTemplate,
  Route,
  Service,
  TrafficTarget,
} from "./serving.ts";
export { fieldDescriptions } from "./types/field-descriptions.ts";
export { type FieldType, isScalar, type MessageType, messageType, type Scalar, typeTable } from "./types/type-table.ts";
export { parseSignals, type SignalName, signalNames } from "./signals.ts";
export { parseAutoscalingSettings } from "./validation/autoscaling.ts";
export { compilePattern, type Pattern } from "./validation/hosts.ts";
export { isExternalName, withoutAddress } from "./validation/core-service.ts";
export { forbidden, invalid, notSupported, required } from "./validation/cause.ts";
export { validateMetadata } from "./validation/metadata.ts";
export { labelValueFault, nameFault, type NameRule, qualifiedNameFault } from "./validation/name-rules.ts";
export { graceSecondsOf } from "./grace.ts";
export { variantKinds, type VariantWish, variantWishOf, wishedVariant } from "./variant.ts";
