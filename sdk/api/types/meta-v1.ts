// The types of meta/v1 that objects and request bodies carry (k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto), in
// the notation of type-table.ts.
export const metaTypes = `
DeleteOptions
  apiVersion string; kind string; gracePeriodSeconds int64 1; preconditions Preconditions 2; orphanDependents bool 3;
  propagationPolicy string 4; dryRun []string 5; ignoreStoreReadErrorWithClusterBreakingPotential bool 6
LabelSelector
  matchLabels map:string 1; matchExpressions []LabelSelectorRequirement 2
LabelSelectorRequirement
  key string 1 !; operator string 2 !; values []string 3
ManagedFieldsEntry
  manager string 1; operation string 2; apiVersion string 3; time time 4; fieldsType string 6; fieldsV1 json 7;
  subresource string 8
ObjectMeta
  name string 1; generateName string 2; namespace string 3; selfLink string 4; uid string 5;
  resourceVersion string 6; generation int64 7; creationTimestamp time 8; deletionTimestamp time 9;
  deletionGracePeriodSeconds int64 10; labels map:string 11; annotations map:string 12;
  ownerReferences []OwnerReference 13 keys=uid merge=uid; finalizers []string 14 set merge;
  managedFields []ManagedFieldsEntry 17
OwnerReference
  kind string 1 !; name string 3 !; uid string 4 !; apiVersion string 5 !; controller bool 6;
  blockOwnerDeletion bool 7
Preconditions
  uid string 1; resourceVersion string 2
`;
