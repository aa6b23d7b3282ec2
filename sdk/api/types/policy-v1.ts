// The types of Shallop's ImagePolicy, and those of policy/v1 of Kubernetes 1.32, in the notation of type-table.ts.
export const policyTypes = `
ImagePolicy
  apiVersion string; kind string; metadata ObjectMeta; spec ImagePolicySpec !
ImagePolicySpec
  images []string !; namespaces []string; deny bool; registries []string; digestRequired bool; wasmOnly bool;
  keys []ImageKey; approveCapabilities bool; message string
ImageKey
  name string; key string !
PodDisruptionBudget
  apiVersion string; kind string; metadata ObjectMeta 1; spec PodDisruptionBudgetSpec 2; status PodDisruptionBudgetStatus 3
PodDisruptionBudgetSpec
  minAvailable int-or-string 1; selector LabelSelector 2; maxUnavailable int-or-string 3;
  unhealthyPodEvictionPolicy string 4
PodDisruptionBudgetStatus
  observedGeneration int64 1; disruptedPods map:time 2; disruptionsAllowed int32 3 !; currentHealthy int32 4 !;
  desiredHealthy int32 5 !; expectedPods int32 6 !; conditions []Condition 7 keys=type merge=type
`;
