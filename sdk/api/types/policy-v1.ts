// The types of Shallop's ImagePolicy, in the notation of type-table.ts.
export const policyTypes = `
ImagePolicy
  apiVersion string; kind string; metadata ObjectMeta; spec ImagePolicySpec !
ImagePolicySpec
  images []string !; namespaces []string; deny bool; registries []string; digestRequired bool; wasmOnly bool;
  keys []ImageKey; approveCapabilities bool; message string
ImageKey
  name string; key string !
`;
