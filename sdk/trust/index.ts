export { capabilitiesOf, newCapabilities, type RevisionDemands, withoutVersion } from "./capabilities.ts";
export { encryptKey } from "./encrypted-key.ts";
export { type Evidence, verifyEvidence, type VerifiedSignature } from "./evidence.ts";
export { TrustFault, type TrustFaultCode } from "./fault.ts";
export {
  asksForApproval,
  asksForSignatures,
  asksForWasm,
  type ImageFacts,
  policiesFor,
  policyRefusal,
} from "./image-policy.ts";
export { type ImageDemands, readDemands } from "./image-demands.ts";
export { generateKeyPair, type KeyType, parseSignKey, parseVerifyKey, type SignKey, type VerifyKey } from "./keys.ts";
export { cargoPackages, goPackages, pythonPackages } from "./lock-files.ts";
export { alpinePackages, debianPackages, distinct, npmPackages, type Package } from "./packages.ts";
export {
  cycloneDxDocument,
  cycloneDxType,
  documentAttachment,
  inTotoType,
  provenanceStatement,
  spdxDocument,
  spdxType,
} from "./statements.ts";
export { readEvidence, type SignedImage, signImage } from "./signatures.ts";
