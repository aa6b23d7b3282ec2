// The types of gateway.networking.k8s.io/v1 (kubernetes-sigs/gateway-api, apis/v1) as far as HTTP goes, of Knative's
// DomainMapping (serving.knative.dev/v1beta1), and of Shallop's TrafficPolicy, in the notation of type-table.ts.
export const gatewayTypes = `
GatewayClass
  apiVersion string; kind string; metadata ObjectMeta; spec GatewayClassSpec !; status GatewayClassStatus
GatewayClassSpec
  controllerName string !; parametersRef ParametersReference; description string
GatewayClassStatus
  conditions []Condition keys=type; supportedFeatures []SupportedFeature
SupportedFeature
  name string !
ParametersReference
  group string !; kind string !; name string !; namespace string
Gateway
  apiVersion string; kind string; metadata ObjectMeta; spec GatewaySpec !; status GatewayStatus
GatewaySpec
  gatewayClassName string !; listeners []GatewayListener ! keys=name; addresses []GatewayAddress;
  infrastructure GatewayInfrastructure
GatewayInfrastructure
  labels map:string; annotations map:string; parametersRef ParametersReference
GatewayAddress
  type string; value string
GatewayListener
  name string !; hostname string; port int32 !; protocol string !; tls GatewayListenerTLS; allowedRoutes AllowedRoutes
GatewayListenerTLS
  mode string; certificateRefs []SecretObjectReference; options map:string
SecretObjectReference
  group string; kind string; name string !; namespace string
AllowedRoutes
  namespaces RouteNamespaces; kinds []RouteGroupKind
RouteNamespaces
  from string; selector LabelSelector
RouteGroupKind
  group string; kind string !
GatewayStatus
  addresses []GatewayAddress; conditions []Condition keys=type; listeners []ListenerStatus keys=name
ListenerStatus
  name string !; supportedKinds []RouteGroupKind; attachedRoutes int32 !; conditions []Condition ! keys=type
HTTPRoute
  apiVersion string; kind string; metadata ObjectMeta; spec HTTPRouteSpec !; status HTTPRouteStatus
HTTPRouteSpec
  parentRefs []ParentReference; hostnames []string; rules []HTTPRouteRule
ParentReference
  group string; kind string; namespace string; name string !; sectionName string; port int32
HTTPRouteRule
  name string; matches []HTTPRouteMatch; filters []HTTPRouteFilter; backendRefs []HTTPBackendRef;
  timeouts HTTPRouteTimeouts; retry HTTPRouteRetry; sessionPersistence SessionPersistence
HTTPRouteMatch
  path HTTPPathMatch; headers []HTTPHeaderMatch keys=name; queryParams []HTTPQueryParamMatch keys=name; method string
HTTPPathMatch
  type string; value string
HTTPHeaderMatch
  type string; name string !; value string !
HTTPQueryParamMatch
  type string; name string !; value string !
HTTPRouteFilter
  type string !; requestHeaderModifier HTTPHeaderFilter; responseHeaderModifier HTTPHeaderFilter;
  requestMirror HTTPRequestMirrorFilter; requestRedirect HTTPRequestRedirectFilter; urlRewrite HTTPURLRewriteFilter;
  cors HTTPCORSFilter; extensionRef LocalPolicyReference
LocalPolicyReference
  group string !; kind string !; name string !
HTTPHeaderFilter
  set []RouteHeader keys=name; add []RouteHeader keys=name; remove []string set
RouteHeader
  name string !; value string !
HTTPRequestMirrorFilter
  backendRef BackendObjectReference !; percent int32; fraction Fraction
Fraction
  numerator int32 !; denominator int32
BackendObjectReference
  group string; kind string; name string !; namespace string; port int32
HTTPRequestRedirectFilter
  scheme string; hostname string; path HTTPPathModifier; port int32; statusCode int32
HTTPURLRewriteFilter
  hostname string; path HTTPPathModifier
HTTPPathModifier
  type string !; replaceFullPath string; replacePrefixMatch string
HTTPCORSFilter
  allowOrigins []string; allowCredentials bool; allowMethods []string; allowHeaders []string; exposeHeaders []string;
  maxAge int32
HTTPBackendRef
  group string; kind string; name string !; namespace string; port int32; weight int32; filters []HTTPRouteFilter
HTTPRouteTimeouts
  request string; backendRequest string
HTTPRouteRetry
  codes []int32; attempts int32; backoff string
SessionPersistence
  sessionName string; absoluteTimeout string; idleTimeout string; type string; cookieConfig CookieConfig
CookieConfig
  lifetimeType string
HTTPRouteStatus
  parents []RouteParentStatus !
RouteParentStatus
  parentRef ParentReference !; controllerName string !; conditions []Condition keys=type
ReferenceGrant
  apiVersion string; kind string; metadata ObjectMeta; spec ReferenceGrantSpec !
ReferenceGrantSpec
  from []ReferenceGrantFrom !; to []ReferenceGrantTo !
ReferenceGrantFrom
  group string !; kind string !; namespace string !
ReferenceGrantTo
  group string !; kind string !; name string
DomainMapping
  apiVersion string; kind string; metadata ObjectMeta; spec DomainMappingSpec !; status DomainMappingStatus
DomainMappingSpec
  ref DomainMappingReference !; tls DomainMappingTLS
DomainMappingReference
  apiVersion string; kind string !; namespace string; name string !
DomainMappingTLS
  secretName string !
DomainMappingStatus
  observedGeneration int64; conditions []KnativeCondition; annotations map:string; url string; address Addressable
TrafficPolicy
  apiVersion string; kind string; metadata ObjectMeta; spec TrafficPolicySpec !; status TrafficPolicyStatus
TrafficPolicySpec
  targetRefs []PolicyTargetReference !; filters []HTTPRouteFilter; timeouts HTTPRouteTimeouts; retry HTTPRouteRetry;
  sessionPersistence SessionPersistence; rateLimits []RateLimit; outlierDetection OutlierDetection;
  compression Compression; requestBodyMax quantity; jwt JwtPolicy; basicAuth BasicAuthPolicy; clients ClientAddresses;
  redirectToHttps bool
PolicyTargetReference
  group string; kind string !; name string !; sectionName string
RateLimit
  requests int32 !; period string; burst int32; per string
OutlierDetection
  consecutiveErrors int32; baseEjectionTime string; maxEjectionPercent int32
Compression
  algorithms []string; minBytes int32; contentTypes []string
JwtPolicy
  issuer string !; audiences []string; jwks string; jwksSecret LocalObjectReference; header string; optional bool;
  claimsToHeaders []ClaimToHeader
ClaimToHeader
  claim string !; header string !
BasicAuthPolicy
  secrets []LocalObjectReference !; realm string
ClientAddresses
  allow []string; deny []string
TrafficPolicyStatus
  observedGeneration int64; conditions []Condition keys=type
`;
