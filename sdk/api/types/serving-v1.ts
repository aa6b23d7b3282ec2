// The types of serving.knative.dev/v1 (knative/serving pkg/apis/serving/v1), in the notation of type-table.ts. Containers
// and volumes are those of core/v1; lists of custom resources are atomic, so they carry no merge keys.
export const servingTypes = `
Service
  apiVersion string; kind string; metadata ObjectMeta; spec ServiceSpec; status ServiceStatus
ServiceSpec
  template RevisionTemplateSpec; traffic []TrafficTarget
ServiceStatus
  observedGeneration int64; conditions []KnativeCondition; annotations map:string; url string;
  address Addressable; traffic []TrafficTarget; latestCreatedRevisionName string; latestReadyRevisionName string
Configuration
  apiVersion string; kind string; metadata ObjectMeta; spec ConfigurationSpec; status ConfigurationStatus
ConfigurationSpec
  template RevisionTemplateSpec
ConfigurationStatus
  observedGeneration int64; conditions []KnativeCondition; annotations map:string;
  latestCreatedRevisionName string; latestReadyRevisionName string
Revision
  apiVersion string; kind string; metadata ObjectMeta; spec RevisionSpec; status RevisionStatus
RevisionTemplateSpec
  metadata ObjectMeta; spec RevisionSpec
RevisionSpec
  containers []Container !; initContainers []Container; volumes []Volume; serviceAccountName string;
  imagePullSecrets []LocalObjectReference; enableServiceLinks bool; automountServiceAccountToken bool;
  containerConcurrency int64; timeoutSeconds int64; responseStartTimeoutSeconds int64; idleTimeoutSeconds int64;
  nodeSelector map:string; affinity Affinity; tolerations []Toleration; runtimeClassName string
RevisionStatus
  observedGeneration int64; conditions []KnativeCondition; annotations map:string; actualReplicas int32;
  desiredReplicas int32; logUrl string; serviceName string; containerStatuses []RevisionContainerStatus;
  initContainerStatuses []RevisionContainerStatus; homeNodes []string; preparedNodes []PreparedNode;
  failedNodes []FailedNode; scaling RevisionScaling
RevisionScaling
  maxScale int64 !; concurrencyPerPod int64
RevisionContainerStatus
  name string; imageDigest string
PreparedNode
  node string !; variant string !; reason string
FailedNode
  node string !; code string !; message string
Route
  apiVersion string; kind string; metadata ObjectMeta; spec RouteSpec; status RouteStatus
RouteSpec
  traffic []TrafficTarget
RouteStatus
  observedGeneration int64; conditions []KnativeCondition; annotations map:string; url string;
  address Addressable; traffic []TrafficTarget
TrafficTarget
  tag string; revisionName string; configurationName string; latestRevision bool; percent int64; url string
Addressable
  name string; url string; CACerts string; audience string
KnativeCondition
  type string !; status string !; severity string; lastTransitionTime time; reason string; message string
`;
