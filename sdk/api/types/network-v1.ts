// Secret and Service of core/v1, and the types of networking.k8s.io/v1 and discovery.k8s.io/v1: names, types, protobuf
// numbers, list keys and merge keys of Kubernetes 1.32, in the notation of type-table.ts. `CoreService` is core/v1's
// Service; the one of Knative has the plain name.
export const networkTypes = `
ClientIPConfig
  timeoutSeconds int32 1
Condition
  type string 1 !; status string 2 !; observedGeneration int64 3; lastTransitionTime time 4 !; reason string 5 !;
  message string 6 !
CoreService
  apiVersion string; kind string; metadata ObjectMeta 1; spec CoreServiceSpec 2; status CoreServiceStatus 3
CoreServiceSpec
  ports []ServicePort 1 keys=port,protocol merge=port; selector map:string 2; clusterIP string 3; type string 4;
  externalIPs []string 5; sessionAffinity string 7; loadBalancerIP string 8; loadBalancerSourceRanges []string 9;
  externalName string 10; externalTrafficPolicy string 11; healthCheckNodePort int32 12;
  publishNotReadyAddresses bool 13; sessionAffinityConfig SessionAffinityConfig 14; ipFamilyPolicy string 17;
  clusterIPs []string 18; ipFamilies []string 19; allocateLoadBalancerNodePorts bool 20; loadBalancerClass string 21;
  internalTrafficPolicy string 22; trafficDistribution string 23
CoreServiceStatus
  loadBalancer LoadBalancerStatus 1; conditions []Condition 2 keys=type merge=type
Endpoint
  addresses []string 1 ! set; conditions EndpointConditions 2; hostname string 3; targetRef ObjectReference 4;
  deprecatedTopology map:string 5; nodeName string 6; zone string 7; hints EndpointHints 8
EndpointConditions
  ready bool 1; serving bool 2; terminating bool 3
EndpointHints
  forZones []ForZone 1
EndpointPort
  name string 1; protocol string 2; port int32 3; appProtocol string 4
EndpointSlice
  apiVersion string; kind string; metadata ObjectMeta 1; endpoints []Endpoint 2 !; ports []EndpointPort 3;
  addressType string 4 !
ForZone
  name string 1 !
HTTPIngressPath
  path string 1; backend IngressBackend 2 !; pathType string 3 !
HTTPIngressRuleValue
  paths []HTTPIngressPath 1 !
Ingress
  apiVersion string; kind string; metadata ObjectMeta 1; spec IngressSpec 2; status IngressStatus 3
IngressBackend
  resource TypedLocalObjectReference 3; service IngressServiceBackend 4
IngressClass
  apiVersion string; kind string; metadata ObjectMeta 1; spec IngressClassSpec 2
IngressClassParametersReference
  apiGroup string 1; kind string 2 !; name string 3 !; scope string 4; namespace string 5
IngressClassSpec
  controller string 1; parameters IngressClassParametersReference 2
IngressLoadBalancerIngress
  ip string 1; hostname string 2; ports []IngressPortStatus 4
IngressLoadBalancerStatus
  ingress []IngressLoadBalancerIngress 1
IngressPortStatus
  port int32 1 !; protocol string 2 !; error string 3
IngressRule
  host string 1; * IngressRuleValue 2
IngressRuleValue
  http HTTPIngressRuleValue 1
IngressServiceBackend
  name string 1 !; port ServiceBackendPort 2
IngressSpec
  defaultBackend IngressBackend 1; tls []IngressTLS 2; rules []IngressRule 3; ingressClassName string 4
IngressStatus
  loadBalancer IngressLoadBalancerStatus 1
IngressTLS
  hosts []string 1; secretName string 2
LoadBalancerIngress
  ip string 1; hostname string 2; ipMode string 3; ports []PortStatus 4
LoadBalancerStatus
  ingress []LoadBalancerIngress 1
PortStatus
  port int32 1 !; protocol string 2 !; error string 3
Secret
  apiVersion string; kind string; metadata ObjectMeta 1; data map:bytes 2; type string 3; stringData map:string 4;
  immutable bool 5
ServiceBackendPort
  name string 1; number int32 2
ServicePort
  name string 1; protocol string 2; port int32 3 !; targetPort int-or-string 4; nodePort int32 5; appProtocol string 6
SessionAffinityConfig
  clientIP ClientIPConfig 1
`;
