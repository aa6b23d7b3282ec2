// The types of core/v1 that Namespace, Node, Pod and Event reach: names, types, protobuf numbers, list keys and merge keys
// of Kubernetes 1.32 (api/openapi-spec/v3 and k8s.io/api/core/v1/generated.proto). The notation is that of type-table.ts.
export const coreTypes = `
AWSElasticBlockStoreVolumeSource
  volumeID string 1 !; fsType string 2; partition int32 3; readOnly bool 4
Affinity
  nodeAffinity NodeAffinity 1; podAffinity PodAffinity 2; podAntiAffinity PodAntiAffinity 3
AppArmorProfile
  type string 1 !; localhostProfile string 2
AttachedVolume
  name string 1 !; devicePath string 2 !
AzureDiskVolumeSource
  diskName string 1 !; diskURI string 2 !; cachingMode string 3; fsType string 4; readOnly bool 5; kind string 6
AzureFileVolumeSource
  secretName string 1 !; shareName string 2 !; readOnly bool 3
CSIVolumeSource
  driver string 1 !; readOnly bool 2; fsType string 3; volumeAttributes map:string 4;
  nodePublishSecretRef LocalObjectReference 5
Capabilities
  add []string 1; drop []string 2
CephFSVolumeSource
  monitors []string 1 !; path string 2; user string 3; secretFile string 4; secretRef LocalObjectReference 5;
  readOnly bool 6
CinderVolumeSource
  volumeID string 1 !; fsType string 2; readOnly bool 3; secretRef LocalObjectReference 4
ClusterTrustBundleProjection
  name string 1; signerName string 2; labelSelector LabelSelector 3; path string 4 !; optional bool 5
ConfigMap
  apiVersion string; kind string; metadata ObjectMeta 1; data map:string 2; binaryData map:bytes 3; immutable bool 4
ConfigMapEnvSource
  * LocalObjectReference 1; optional bool 2
ConfigMapKeySelector
  * LocalObjectReference 1; key string 2 !; optional bool 3
ConfigMapNodeConfigSource
  namespace string 1 !; name string 2 !; uid string 3; resourceVersion string 4; kubeletConfigKey string 5 !
ConfigMapProjection
  * LocalObjectReference 1; items []KeyToPath 2; optional bool 4
ConfigMapVolumeSource
  * LocalObjectReference 1; items []KeyToPath 2; defaultMode int32 3; optional bool 4
Container
  name string 1 !; image string 2; command []string 3; args []string 4; workingDir string 5;
  ports []ContainerPort 6 keys=containerPort,protocol merge=containerPort; env []EnvVar 7 keys=name merge=name;
  resources ResourceRequirements 8; volumeMounts []VolumeMount 9 keys=mountPath merge=mountPath;
  livenessProbe Probe 10; readinessProbe Probe 11; lifecycle Lifecycle 12; terminationMessagePath string 13;
  imagePullPolicy string 14; securityContext SecurityContext 15; stdin bool 16; stdinOnce bool 17; tty bool 18;
  envFrom []EnvFromSource 19; terminationMessagePolicy string 20;
  volumeDevices []VolumeDevice 21 keys=devicePath merge=devicePath; startupProbe Probe 22;
  resizePolicy []ContainerResizePolicy 23; restartPolicy string 24
ContainerImage
  names []string 1; sizeBytes int64 2
ContainerPort
  name string 1; hostPort int32 2; containerPort int32 3 !; protocol string 4; hostIP string 5
ContainerResizePolicy
  resourceName string 1 !; restartPolicy string 2 !
ContainerState
  waiting ContainerStateWaiting 1; running ContainerStateRunning 2; terminated ContainerStateTerminated 3
ContainerStateRunning
  startedAt time 1
ContainerStateTerminated
  exitCode int32 1 !; signal int32 2; reason string 3; message string 4; startedAt time 5; finishedAt time 6;
  containerID string 7
ContainerStateWaiting
  reason string 1; message string 2
ContainerStatus
  name string 1 !; state ContainerState 2; lastState ContainerState 3; ready bool 4 !; restartCount int32 5 !;
  image string 6 !; imageID string 7 !; containerID string 8; started bool 9; allocatedResources map:quantity 10;
  resources ResourceRequirements 11; volumeMounts []VolumeMountStatus 12 keys=mountPath merge=mountPath;
  user ContainerUser 13; allocatedResourcesStatus []ResourceStatus 14 keys=name merge=name
ContainerUser
  linux LinuxContainerUser 1
DaemonEndpoint
  Port int32 1 !
DownwardAPIProjection
  items []DownwardAPIVolumeFile 1
DownwardAPIVolumeFile
  path string 1 !; fieldRef ObjectFieldSelector 2; resourceFieldRef ResourceFieldSelector 3; mode int32 4
DownwardAPIVolumeSource
  items []DownwardAPIVolumeFile 1; defaultMode int32 2
EmptyDirVolumeSource
  medium string 1; sizeLimit quantity 2
EnvFromSource
  prefix string 1; configMapRef ConfigMapEnvSource 2; secretRef SecretEnvSource 3
EnvVar
  name string 1 !; value string 2; valueFrom EnvVarSource 3
EnvVarSource
  fieldRef ObjectFieldSelector 1; resourceFieldRef ResourceFieldSelector 2; configMapKeyRef ConfigMapKeySelector 3;
  secretKeyRef SecretKeySelector 4
EphemeralContainer
  * EphemeralContainerCommon 1; targetContainerName string 2
EphemeralContainerCommon
  name string 1 !; image string 2; command []string 3; args []string 4; workingDir string 5;
  ports []ContainerPort 6 keys=containerPort,protocol merge=containerPort; envFrom []EnvFromSource 19;
  env []EnvVar 7 keys=name merge=name; resources ResourceRequirements 8; resizePolicy []ContainerResizePolicy 23;
  restartPolicy string 24; volumeMounts []VolumeMount 9 keys=mountPath merge=mountPath;
  volumeDevices []VolumeDevice 21 keys=devicePath merge=devicePath; livenessProbe Probe 10; readinessProbe Probe 11;
  startupProbe Probe 22; lifecycle Lifecycle 12; terminationMessagePath string 13;
  terminationMessagePolicy string 20; imagePullPolicy string 14; securityContext SecurityContext 15; stdin bool 16;
  stdinOnce bool 17; tty bool 18
EphemeralVolumeSource
  volumeClaimTemplate PersistentVolumeClaimTemplate 1
Event
  apiVersion string; kind string; metadata ObjectMeta 1 !; involvedObject ObjectReference 2 !; reason string 3;
  message string 4; source EventSource 5; firstTimestamp time 6; lastTimestamp time 7; count int32 8; type string 9;
  eventTime microtime 10; series EventSeries 11; action string 12; related ObjectReference 13;
  reportingComponent string 14; reportingInstance string 15
EventSeries
  count int32 1; lastObservedTime microtime 2
EventSource
  component string 1; host string 2
ExecAction
  command []string 1
FCVolumeSource
  targetWWNs []string 1; lun int32 2; fsType string 3; readOnly bool 4; wwids []string 5
FlexVolumeSource
  driver string 1 !; fsType string 2; secretRef LocalObjectReference 3; readOnly bool 4; options map:string 5
FlockerVolumeSource
  datasetName string 1; datasetUUID string 2
GCEPersistentDiskVolumeSource
  pdName string 1 !; fsType string 2; partition int32 3; readOnly bool 4
GRPCAction
  port int32 1 !; service string 2
GitRepoVolumeSource
  repository string 1 !; revision string 2; directory string 3
GlusterfsVolumeSource
  endpoints string 1 !; path string 2 !; readOnly bool 3
HTTPGetAction
  path string 1; port int-or-string 2 !; host string 3; scheme string 4; httpHeaders []HTTPHeader 5
HTTPHeader
  name string 1 !; value string 2 !
HostAlias
  ip string 1 !; hostnames []string 2
HostIP
  ip string 1 !
HostPathVolumeSource
  path string 1 !; type string 2
ISCSIVolumeSource
  targetPortal string 1 !; iqn string 2 !; lun int32 3 !; iscsiInterface string 4; fsType string 5; readOnly bool 6;
  portals []string 7; chapAuthDiscovery bool 8; secretRef LocalObjectReference 10; chapAuthSession bool 11;
  initiatorName string 12
ImageVolumeSource
  reference string 1; pullPolicy string 2
KeyToPath
  key string 1 !; path string 2 !; mode int32 3
Lifecycle
  postStart LifecycleHandler 1; preStop LifecycleHandler 2
LifecycleHandler
  exec ExecAction 1; httpGet HTTPGetAction 2; tcpSocket TCPSocketAction 3; sleep SleepAction 4
LinuxContainerUser
  uid int64 1 !; gid int64 2 !; supplementalGroups []int64 3
LocalObjectReference
  name string 1
NFSVolumeSource
  server string 1 !; path string 2 !; readOnly bool 3
Namespace
  apiVersion string; kind string; metadata ObjectMeta 1; spec NamespaceSpec 2; status NamespaceStatus 3
NamespaceCondition
  type string 1 !; status string 2 !; lastTransitionTime time 4; reason string 5; message string 6
NamespaceSpec
  finalizers []string 1
NamespaceStatus
  phase string 1; conditions []NamespaceCondition 2 keys=type merge=type
Node
  apiVersion string; kind string; metadata ObjectMeta 1; spec NodeSpec 2; status NodeStatus 3
NodeAddress
  type string 1 !; address string 2 !
NodeAffinity
  requiredDuringSchedulingIgnoredDuringExecution NodeSelector 1;
  preferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm 2
NodeCondition
  type string 1 !; status string 2 !; lastHeartbeatTime time 3; lastTransitionTime time 4; reason string 5;
  message string 6
NodeConfigSource
  configMap ConfigMapNodeConfigSource 2
NodeConfigStatus
  assigned NodeConfigSource 1; active NodeConfigSource 2; lastKnownGood NodeConfigSource 3; error string 4
NodeDaemonEndpoints
  kubeletEndpoint DaemonEndpoint 1
NodeFeatures
  supplementalGroupsPolicy bool 1
NodeRuntimeHandler
  name string 1; features NodeRuntimeHandlerFeatures 2
NodeRuntimeHandlerFeatures
  recursiveReadOnlyMounts bool 1; userNamespaces bool 2
NodeSelector
  nodeSelectorTerms []NodeSelectorTerm 1 !
NodeSelectorRequirement
  key string 1 !; operator string 2 !; values []string 3
NodeSelectorTerm
  matchExpressions []NodeSelectorRequirement 1; matchFields []NodeSelectorRequirement 2
NodeSpec
  podCIDR string 1; externalID string 2; providerID string 3; unschedulable bool 4; taints []Taint 5;
  configSource NodeConfigSource 6; podCIDRs []string 7 set merge
NodeStatus
  capacity map:quantity 1; allocatable map:quantity 2; phase string 3;
  conditions []NodeCondition 4 keys=type merge=type; addresses []NodeAddress 5 keys=type merge=type;
  daemonEndpoints NodeDaemonEndpoints 6; nodeInfo NodeSystemInfo 7; images []ContainerImage 8;
  volumesInUse []string 9; volumesAttached []AttachedVolume 10; config NodeConfigStatus 11;
  runtimeHandlers []NodeRuntimeHandler 12; features NodeFeatures 13
NodeSystemInfo
  machineID string 1 !; systemUUID string 2 !; bootID string 3 !; kernelVersion string 4 !; osImage string 5 !;
  containerRuntimeVersion string 6 !; kubeletVersion string 7 !; kubeProxyVersion string 8 !;
  operatingSystem string 9 !; architecture string 10 !
ObjectFieldSelector
  apiVersion string 1; fieldPath string 2 !
ObjectReference
  kind string 1; namespace string 2; name string 3; uid string 4; apiVersion string 5; resourceVersion string 6;
  fieldPath string 7
PersistentVolumeClaimSpec
  accessModes []string 1; resources VolumeResourceRequirements 2; volumeName string 3; selector LabelSelector 4;
  storageClassName string 5; volumeMode string 6; dataSource TypedLocalObjectReference 7;
  dataSourceRef TypedObjectReference 8; volumeAttributesClassName string 9
PersistentVolumeClaimTemplate
  metadata ObjectMeta 1; spec PersistentVolumeClaimSpec 2 !
PersistentVolumeClaimVolumeSource
  claimName string 1 !; readOnly bool 2
PhotonPersistentDiskVolumeSource
  pdID string 1 !; fsType string 2
Pod
  apiVersion string; kind string; metadata ObjectMeta 1; spec PodSpec 2; status PodStatus 3
PodAffinity
  requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm 1;
  preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm 2
PodAffinityTerm
  labelSelector LabelSelector 1; namespaces []string 2; topologyKey string 3 !; namespaceSelector LabelSelector 4;
  matchLabelKeys []string 5; mismatchLabelKeys []string 6
PodAntiAffinity
  requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm 1;
  preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm 2
PodCondition
  type string 1 !; status string 2 !; lastProbeTime time 3; lastTransitionTime time 4; reason string 5;
  message string 6
PodDNSConfig
  nameservers []string 1; searches []string 2; options []PodDNSConfigOption 3
PodDNSConfigOption
  name string 1; value string 2
PodIP
  ip string 1 !
PodOS
  name string 1 !
PodReadinessGate
  conditionType string 1 !
PodResourceClaim
  name string 1 !; resourceClaimName string 3; resourceClaimTemplateName string 4
PodResourceClaimStatus
  name string 1 !; resourceClaimName string 2
PodSchedulingGate
  name string 1 !
PodSecurityContext
  seLinuxOptions SELinuxOptions 1; runAsUser int64 2; runAsNonRoot bool 3; supplementalGroups []int64 4;
  fsGroup int64 5; runAsGroup int64 6; sysctls []Sysctl 7; windowsOptions WindowsSecurityContextOptions 8;
  fsGroupChangePolicy string 9; seccompProfile SeccompProfile 10; appArmorProfile AppArmorProfile 11;
  supplementalGroupsPolicy string 12; seLinuxChangePolicy string 13
PodSpec
  volumes []Volume 1 keys=name merge=name retain; containers []Container 2 ! keys=name merge=name;
  restartPolicy string 3; terminationGracePeriodSeconds int64 4; activeDeadlineSeconds int64 5; dnsPolicy string 6;
  nodeSelector map:string 7; serviceAccountName string 8; serviceAccount string 9; nodeName string 10;
  hostNetwork bool 11; hostPID bool 12; hostIPC bool 13; securityContext PodSecurityContext 14;
  imagePullSecrets []LocalObjectReference 15 keys=name merge=name; hostname string 16; subdomain string 17;
  affinity Affinity 18; schedulerName string 19; initContainers []Container 20 keys=name merge=name;
  automountServiceAccountToken bool 21; tolerations []Toleration 22; hostAliases []HostAlias 23 keys=ip merge=ip;
  priorityClassName string 24; priority int32 25; dnsConfig PodDNSConfig 26; shareProcessNamespace bool 27;
  readinessGates []PodReadinessGate 28; runtimeClassName string 29; enableServiceLinks bool 30;
  preemptionPolicy string 31; overhead map:quantity 32;
  topologySpreadConstraints []TopologySpreadConstraint 33 keys=topologyKey,whenUnsatisfiable merge=topologyKey;
  ephemeralContainers []EphemeralContainer 34 keys=name merge=name; setHostnameAsFQDN bool 35; os PodOS 36;
  hostUsers bool 37; schedulingGates []PodSchedulingGate 38 keys=name merge=name;
  resourceClaims []PodResourceClaim 39 keys=name merge=name retain; resources ResourceRequirements 40
PodStatus
  phase string 1; conditions []PodCondition 2 keys=type merge=type; message string 3; reason string 4;
  hostIP string 5; podIP string 6; startTime time 7; containerStatuses []ContainerStatus 8; qosClass string 9;
  initContainerStatuses []ContainerStatus 10; nominatedNodeName string 11; podIPs []PodIP 12 keys=ip merge=ip;
  ephemeralContainerStatuses []ContainerStatus 13; resize string 14;
  resourceClaimStatuses []PodResourceClaimStatus 15 keys=name merge=name retain; hostIPs []HostIP 16 merge=ip
PortworxVolumeSource
  volumeID string 1 !; fsType string 2; readOnly bool 3
PreferredSchedulingTerm
  weight int32 1 !; preference NodeSelectorTerm 2 !
Probe
  * ProbeHandler 1; initialDelaySeconds int32 2; timeoutSeconds int32 3; periodSeconds int32 4;
  successThreshold int32 5; failureThreshold int32 6; terminationGracePeriodSeconds int64 7
ProbeHandler
  exec ExecAction 1; httpGet HTTPGetAction 2; tcpSocket TCPSocketAction 3; grpc GRPCAction 4
ProjectedVolumeSource
  sources []VolumeProjection 1; defaultMode int32 2
QuobyteVolumeSource
  registry string 1 !; volume string 2 !; readOnly bool 3; user string 4; group string 5; tenant string 6
RBDVolumeSource
  monitors []string 1 !; image string 2 !; fsType string 3; pool string 4; user string 5; keyring string 6;
  secretRef LocalObjectReference 7; readOnly bool 8
ResourceClaim
  name string 1 !; request string 2
ResourceFieldSelector
  containerName string 1; resource string 2 !; divisor quantity 3
ResourceHealth
  resourceID string 1 !; health string 2
ResourceRequirements
  limits map:quantity 1; requests map:quantity 2; claims []ResourceClaim 3 keys=name
ResourceStatus
  name string 1 !; resources []ResourceHealth 2 keys=resourceID
SELinuxOptions
  user string 1; role string 2; type string 3; level string 4
ScaleIOVolumeSource
  gateway string 1 !; system string 2 !; secretRef LocalObjectReference 3 !; sslEnabled bool 4;
  protectionDomain string 5; storagePool string 6; storageMode string 7; volumeName string 8; fsType string 9;
  readOnly bool 10
SeccompProfile
  type string 1 !; localhostProfile string 2
SecretEnvSource
  * LocalObjectReference 1; optional bool 2
SecretKeySelector
  * LocalObjectReference 1; key string 2 !; optional bool 3
SecretProjection
  * LocalObjectReference 1; items []KeyToPath 2; optional bool 4
SecretVolumeSource
  secretName string 1; items []KeyToPath 2; defaultMode int32 3; optional bool 4
SecurityContext
  capabilities Capabilities 1; privileged bool 2; seLinuxOptions SELinuxOptions 3; runAsUser int64 4;
  runAsNonRoot bool 5; readOnlyRootFilesystem bool 6; allowPrivilegeEscalation bool 7; runAsGroup int64 8;
  procMount string 9; windowsOptions WindowsSecurityContextOptions 10; seccompProfile SeccompProfile 11;
  appArmorProfile AppArmorProfile 12
ServiceAccountTokenProjection
  audience string 1; expirationSeconds int64 2; path string 3 !
SleepAction
  seconds int64 1 !
StorageOSVolumeSource
  volumeName string 1; volumeNamespace string 2; fsType string 3; readOnly bool 4; secretRef LocalObjectReference 5
Sysctl
  name string 1 !; value string 2 !
TCPSocketAction
  port int-or-string 1 !; host string 2
Taint
  key string 1 !; value string 2; effect string 3 !; timeAdded time 4
Toleration
  key string 1; operator string 2; value string 3; effect string 4; tolerationSeconds int64 5
TopologySpreadConstraint
  maxSkew int32 1 !; topologyKey string 2 !; whenUnsatisfiable string 3 !; labelSelector LabelSelector 4;
  minDomains int32 5; nodeAffinityPolicy string 6; nodeTaintsPolicy string 7; matchLabelKeys []string 8
TypedLocalObjectReference
  apiGroup string 1; kind string 2 !; name string 3 !
TypedObjectReference
  apiGroup string 1; kind string 2 !; name string 3 !; namespace string 4
Volume
  * VolumeSource 2; name string 1 !
VolumeDevice
  name string 1 !; devicePath string 2 !
VolumeMount
  name string 1 !; readOnly bool 2; mountPath string 3 !; subPath string 4; mountPropagation string 5;
  subPathExpr string 6; recursiveReadOnly string 7
VolumeMountStatus
  name string 1 !; mountPath string 2 !; readOnly bool 3; recursiveReadOnly string 4
VolumeProjection
  secret SecretProjection 1; downwardAPI DownwardAPIProjection 2; configMap ConfigMapProjection 3;
  serviceAccountToken ServiceAccountTokenProjection 4; clusterTrustBundle ClusterTrustBundleProjection 5
VolumeResourceRequirements
  limits map:quantity 1; requests map:quantity 2
VolumeSource
  hostPath HostPathVolumeSource 1; emptyDir EmptyDirVolumeSource 2;
  gcePersistentDisk GCEPersistentDiskVolumeSource 3; awsElasticBlockStore AWSElasticBlockStoreVolumeSource 4;
  gitRepo GitRepoVolumeSource 5; secret SecretVolumeSource 6; nfs NFSVolumeSource 7; iscsi ISCSIVolumeSource 8;
  glusterfs GlusterfsVolumeSource 9; persistentVolumeClaim PersistentVolumeClaimVolumeSource 10;
  rbd RBDVolumeSource 11; flexVolume FlexVolumeSource 12; cinder CinderVolumeSource 13; cephfs CephFSVolumeSource 14;
  flocker FlockerVolumeSource 15; downwardAPI DownwardAPIVolumeSource 16; fc FCVolumeSource 17;
  azureFile AzureFileVolumeSource 18; configMap ConfigMapVolumeSource 19;
  vsphereVolume VsphereVirtualDiskVolumeSource 20; quobyte QuobyteVolumeSource 21;
  azureDisk AzureDiskVolumeSource 22; photonPersistentDisk PhotonPersistentDiskVolumeSource 23;
  projected ProjectedVolumeSource 26; portworxVolume PortworxVolumeSource 24; scaleIO ScaleIOVolumeSource 25;
  storageos StorageOSVolumeSource 27; csi CSIVolumeSource 28; ephemeral EphemeralVolumeSource 29;
  image ImageVolumeSource 30
VsphereVirtualDiskVolumeSource
  volumePath string 1 !; fsType string 2; storagePolicyName string 3; storagePolicyID string 4
WeightedPodAffinityTerm
  weight int32 1 !; podAffinityTerm PodAffinityTerm 2 !
WindowsSecurityContextOptions
  gmsaCredentialSpecName string 1; gmsaCredentialSpec string 2; runAsUserName string 3; hostProcess bool 4
`;
