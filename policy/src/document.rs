//! The `DataLab` document: one lab's policy, as it is written.
//!
//! The same bytes are a file for the post-renderer and a custom resource for the webhook, so the schema is
//! structural: no field takes two types (but quantities, which are int-or-string as everywhere in Kubernetes), and nothing is
//! said by `null`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Quantity;
use crate::shape::{Described, Field, Object, Shape, Word};

/// `apiVersion` of the document.
pub const API_VERSION: &str = "datalab.dev/v1alpha1";
/// `kind` of the document.
pub const KIND: &str = "DataLab";

/// Marks a field that must be there.
const REQUIRED: bool = true;

/// Declares document types: camelCase keys, defaults for what is left out, and the [`Shape`] that parsing, the schema and
/// `explain` follow. Doc comments are descriptions there.
macro_rules! document {
    ($($(#[doc = $doc:literal])* pub struct $name:ident {
        $($(#[doc = $field_doc:literal])* pub $field:ident: $type:ty $(= $required:ident)?,)*
    })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {$(
            $(#[doc = $field_doc])*
            #[serde(skip_serializing_if = "Described::is_left_out")]
            pub $field: $type,
        )*}

        impl Described for $name {
            const SHAPE: &'static Shape = &Shape::Object(&Object {
                name: stringify!($name),
                fields: &[$(Field {
                    ident: stringify!($field),
                    doc: &[$($field_doc),*],
                    required: false $(|| $required)?,
                    shape: <$type as Described>::SHAPE,
                },)*],
            });

            fn is_left_out(&self) -> bool {
                // A document has its spec, even if that says nothing.
                stringify!($name) != "Spec" && *self == Self::default()
            }
        }
    )*};
}

/// Declares closed sets of words; the first is the default.
macro_rules! words {
    ($($(#[doc = $doc:literal])* pub enum $name:ident {
        $(#[doc = $default_doc:literal])* #[default] $default:ident = $default_word:literal,
        $($(#[doc = $word_doc:literal])* $variant:ident = $word:literal,)*
    })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $(#[doc = $default_doc])*
            #[default]
            #[serde(rename = $default_word)]
            $default,
            $(
                $(#[doc = $word_doc])*
                #[serde(rename = $word)]
                $variant,
            )*
        }

        impl Described for $name {
            const SHAPE: &'static Shape = &Shape::Words(&[
                Word { word: $default_word, doc: &[$($default_doc),*] },
                $(Word { word: $word, doc: &[$($word_doc),*] },)*
            ]);

            fn is_left_out(&self) -> bool {
                false
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { Self::$default => $default_word, $(Self::$variant => $word,)* })
            }
        }
    )*};
}

document! {
    /// One policy for one hub's lab.
    pub struct DataLab {
        /// Always `datalab.dev/v1alpha1`.
        pub api_version: String = REQUIRED,
        /// Always `DataLab`.
        pub kind: String = REQUIRED,
        /// Name, and the hub's namespace, which is what is governed.
        pub metadata: Metadata = REQUIRED,
        /// The policy.
        pub spec: Spec = REQUIRED,
    }

    /// The part of a resource's metadata that matters here.
    pub struct Metadata {
        /// Name of the policy.
        pub name: String = REQUIRED,
        /// The hub's namespace. Left out in a file, the policy fits any.
        pub namespace: Option<String>,
        /// The resource's own labels; they are not put on anything.
        pub labels: BTreeMap<String, String>,
        /// The resource's own annotations; they are not put on anything.
        pub annotations: BTreeMap<String, String>,
    }

    /// What a lab's policy says.
    pub struct Spec {
        /// What happens to an object that breaks a rule.
        pub enforcement: Enforcement,
        /// Rules that differ from `enforcement`, by their name.
        pub rules: BTreeMap<String, Enforcement>,
        /// The hub that this policy governs.
        pub hub: Hub,
        /// The node labels that `nodes` speaks of.
        pub node_labels: NodeLabels,
        /// Labels for every object and pod of the lab. Added, never overwriting.
        pub labels: BTreeMap<String, String>,
        /// Annotations for every object and pod of the lab. Added, never overwriting.
        pub annotations: BTreeMap<String, String>,
        /// Whether a user's server has its node to itself.
        pub isolation: Isolation,
        /// Where the platform's own parts run. The first match wins.
        pub placement: Vec<Placement>,
        /// What every profile has unless it says otherwise.
        pub profile_defaults: ProfileDefaults,
        /// The servers on offer. None: the hub has no profile list, and all servers are of the implicit profile `default`.
        pub profiles: Vec<Profile>,
        /// Container images of user pods.
        pub images: Images,
        /// Shared data and homes.
        pub mounts: Vec<Mount>,
        /// Environment of the notebook container.
        pub environment: Vec<EnvironmentVariable>,
        /// Volume claims of users.
        pub claims: Claims,
        /// Groups of users, in order: the first that a user is in pays, unless they choose.
        pub groups: Vec<Group>,
        /// Limits of single users.
        pub users: Users,
        /// Workers that a user's own software starts (Dask, Ray, Spark): same identity, same quota.
        pub workloads: Vec<Workload>,
        /// What user pods may never have. The defaults are strict.
        pub security: Security,
    }

    /// The hub that a policy governs.
    pub struct Hub {
        /// Name of its Deployment. Left out, the stream or namespace must hold exactly one hub.
        pub name: Option<String>,
        /// Its service account, the only writer of user pods. Left out, the one that the chart's output names.
        pub service_account: Option<String>,
        /// A profile that the chart has and the policy lacks.
        pub unknown_profiles: UnknownProfiles,
        /// A user pod that names no profile.
        pub unlabelled_pods: UnlabelledPods,
    }

    /// Keys of node labels. A preset gives all of them; the others name one.
    pub struct NodeLabels {
        /// A platform's well-known labels.
        pub preset: NodeLabelPreset,
        /// Key of the machine type.
        pub instance_type: Option<String>,
        /// Key of the purchase option (spot or on demand).
        pub capacity: Option<String>,
        /// Key of the node pool's name.
        pub pool: Option<String>,
        /// Key of the zone.
        pub zone: Option<String>,
    }

    /// Whether user pods share nodes.
    pub struct Isolation {
        /// Whether a user's server (or a placeholder) has its node to itself.
        pub one_pod_per_node: OnePodPerNode,
        /// How far it looks: pod anti-affinity is namespace-local unless told otherwise.
        pub scope: IsolationScope,
    }

    /// Where some of the platform's own pods run.
    pub struct Placement {
        /// Which pods.
        pub r#match: PlacementMatch,
        /// Which nodes.
        pub nodes: Nodes,
        /// Taints that these pods bear, besides those of `nodes`.
        pub tolerations: Vec<Toleration>,
    }

    /// Chooses platform pods; what is left out matches all.
    pub struct PlacementMatch {
        /// Name of the chart (an alias counts as the name).
        pub chart: Option<String>,
        /// Label `component` or `app.kubernetes.io/component`.
        pub component: Option<String>,
    }

    /// Which nodes pods may run on. All that is said must hold.
    pub struct Nodes {
        /// Node labels, each with its one value.
        pub labels: BTreeMap<String, String>,
        /// Machine types, one of which it must be.
        pub instance_types: Vec<String>,
        /// Purchase option.
        pub capacity: Option<Capacity>,
        /// Node pools, one of which it must be.
        pub pools: Vec<String>,
        /// Zones, one of which it must be.
        pub zones: Vec<String>,
        /// Anything else, as in a node selector term.
        pub match_expressions: Vec<NodeSelectorRequirement>,
        /// Taints that the pods bear.
        pub tolerations: Vec<Toleration>,
    }

    /// As in `core/v1`.
    pub struct NodeSelectorRequirement {
        /// Label key.
        pub key: String = REQUIRED,
        /// How `values` are read.
        pub operator: NodeSelectorOperator = REQUIRED,
        /// What the label is compared with.
        pub values: Vec<String>,
    }

    /// As in `core/v1`.
    pub struct Toleration {
        /// Taint key; empty with `Exists` bears all.
        pub key: Option<String>,
        /// `Equal` (the default) or `Exists`.
        pub operator: Option<TolerationOperator>,
        /// Taint value, for `Equal`.
        pub value: Option<String>,
        /// Taint effect; left out, all.
        pub effect: Option<TaintEffect>,
        /// How long a `NoExecute` taint is borne, in seconds.
        pub toleration_seconds: Option<i64>,
    }

    /// What every profile has unless it says otherwise.
    pub struct ProfileDefaults {
        /// Resources of the notebook container, key by key.
        pub resources: Resources,
        /// Nodes of profiles that name none of their own, field by field.
        pub nodes: Nodes,
        /// Named images of profiles that name none of their own.
        pub images: Vec<String>,
        /// Longest life of a server, such as `12h`.
        pub session_limit: Option<String>,
    }

    /// One kind of server on offer.
    pub struct Profile {
        /// Its name in labels and the spawn form: the chart's profile of this slug.
        pub slug: String = REQUIRED,
        /// What the spawn form shows. Left out, the chart's; for a profile that the chart lacks, the slug.
        pub display_name: Option<String>,
        /// What the spawn form says below it.
        pub description: Option<String>,
        /// Chosen when the user chooses none.
        pub default: bool,
        /// Groups that may use it. Left out: everyone.
        pub groups: Vec<String>,
        /// Which nodes its servers run on.
        pub nodes: Nodes,
        /// Resources of the notebook container.
        pub resources: Resources,
        /// Names of images that it may run; the first is its default.
        pub images: Vec<String>,
        /// Longest life of a server, such as `12h`.
        pub session_limit: Option<String>,
        /// Differs from `isolation.onePodPerNode`.
        pub one_pod_per_node: Option<OnePodPerNode>,
        /// Price of a server in an hour, by capacity, for reports.
        pub price_per_hour: BTreeMap<Capacity, String>,
        /// Nodes kept warm by placeholders of this profile.
        pub spares: u32,
    }

    /// Resources of a container.
    pub struct Resources {
        /// Requests: KubeSpawner's guarantees.
        pub requests: BTreeMap<String, Quantity>,
        /// Limits.
        pub limits: BTreeMap<String, Quantity>,
        /// What the chart sets and the lab does not want, such as `limits.cpu`.
        pub remove: Vec<String>,
    }

    /// Container images of user pods.
    pub struct Images {
        /// What may run. Empty: anything.
        pub allow: Vec<ImageRule>,
        /// Whether an image must be given by digest.
        pub require_digest: bool,
        /// Secrets of type `kubernetes.io/dockerconfigjson` that user pods pull with.
        pub pull_secrets: Vec<String>,
        /// Names for images, which profiles use. A named image is allowed where its profile is.
        pub named: Vec<NamedImage>,
    }

    /// Allows images.
    pub struct ImageRule {
        /// Image references; `*` stands for any characters.
        pub pattern: String = REQUIRED,
        /// Groups that it is for. Left out: everyone.
        pub groups: Vec<String>,
    }

    /// A name for an image.
    pub struct NamedImage {
        /// The name that profiles use.
        pub name: String = REQUIRED,
        /// The image reference.
        pub image: String = REQUIRED,
    }

    /// A volume in user pods. One of `nfs`, `claim` and `hostPath` says where it comes from.
    pub struct Mount {
        /// Name of the volume.
        pub name: String = REQUIRED,
        /// An NFS export.
        pub nfs: Option<NfsExport>,
        /// Name of a persistent volume claim in the hub's namespace.
        pub claim: Option<String>,
        /// A folder that every node has, such as a mounted cluster file system.
        pub host_path: Option<String>,
        /// Path in the notebook container. That of the hub's home volume takes its place.
        pub mount_path: String = REQUIRED,
        /// Path in the volume. `{user}` is the user, named as this hub's KubeSpawner names them.
        pub sub_path: Option<String>,
        /// Whether users can only read.
        pub read_only: bool,
        /// Groups that get it. Left out: everyone.
        pub groups: Vec<String>,
    }

    /// An NFS export.
    pub struct NfsExport {
        /// Address of the server. Kubelets do not resolve names of Services.
        pub server: String = REQUIRED,
        /// Exported path.
        pub path: String = REQUIRED,
    }

    /// A variable of the notebook container: `value` or `secret`.
    pub struct EnvironmentVariable {
        /// Name of the variable.
        pub name: String = REQUIRED,
        /// Its value.
        pub value: Option<String>,
        /// The key of a Secret that holds its value.
        pub secret: Option<SecretKey>,
        /// Groups that get it. Left out: everyone.
        pub groups: Vec<String>,
    }

    /// A key of a Secret in the hub's namespace.
    pub struct SecretKey {
        /// Name of the Secret.
        pub name: String = REQUIRED,
        /// Key in its data.
        pub key: String = REQUIRED,
    }

    /// What users' volume claims may be.
    pub struct Claims {
        /// Storage classes. Empty: any.
        pub storage_classes: Vec<String>,
        /// Access modes. Empty: any.
        pub access_modes: Vec<AccessMode>,
        /// Largest request.
        pub max_size: Option<Quantity>,
    }

    /// A group of users.
    pub struct Group {
        /// Its name.
        pub name: String = REQUIRED,
        /// Users by name.
        pub members: Vec<String>,
        /// Groups of the identity provider whose members are in it.
        pub identity_groups: Vec<String>,
        /// What all its members together may have: `servers`, `claims`, and resources as in a `ResourceQuota`.
        pub quota: BTreeMap<String, Quantity>,
        /// What each member may have.
        pub member_quota: BTreeMap<String, Quantity>,
        /// Labels for its members' pods and claims.
        pub labels: BTreeMap<String, String>,
        /// Until when new servers start, as RFC 3339.
        pub until: Option<String>,
    }

    /// Limits of single users: an override before the paying group's `memberQuota` before `quota`.
    pub struct Users {
        /// What each user may have.
        pub quota: BTreeMap<String, Quantity>,
        /// Users who differ.
        pub overrides: Vec<UserOverride>,
    }

    /// A user who differs.
    pub struct UserOverride {
        /// Name of the user, as the hub knows it.
        pub name: String = REQUIRED,
        /// What this user may have.
        pub quota: BTreeMap<String, Quantity> = REQUIRED,
    }

    /// Workers that a user's own software starts.
    pub struct Workload {
        /// A name for messages.
        pub name: String = REQUIRED,
        /// Labels that its pods carry.
        pub selector: BTreeMap<String, String> = REQUIRED,
        /// The service account that creates its pods.
        pub service_account: String = REQUIRED,
        /// The label that holds the user's name.
        pub user_label: String = REQUIRED,
    }

    /// Exceptions from what user pods may never have.
    pub struct Security {
        /// Narrow exceptions, each with its reason.
        pub exceptions: Vec<SecurityException>,
    }

    /// One container that one rule spares. One of `initContainer` and `container` names it.
    pub struct SecurityException {
        /// Name of the rule.
        pub rule: SecurityRule = REQUIRED,
        /// Name of an init container.
        pub init_container: Option<String>,
        /// Name of a container.
        pub container: Option<String>,
        /// Why.
        pub reason: String = REQUIRED,
    }
}

words! {
    /// What happens to an object that breaks a rule.
    pub enum Enforcement {
        /// It is refused.
        #[default]
        Enforce = "enforce",
        /// It passes with a warning.
        Warn = "warn",
        /// It passes and is reported.
        Audit = "audit",
    }

    /// What to do with a profile that the chart has and the policy lacks.
    pub enum UnknownProfiles {
        /// Stop.
        #[default]
        Error = "error",
        /// Leave it as it is, without the label `datalab.dev/profile`.
        Keep = "keep",
    }

    /// What to do with a user pod that names no profile.
    pub enum UnlabelledPods {
        /// Refuse it.
        #[default]
        Refuse = "refuse",
        /// Treat it as the default profile's.
        Default = "default",
    }

    /// A platform's well-known node labels.
    pub enum NodeLabelPreset {
        /// Only `node.kubernetes.io/instance-type` and `topology.kubernetes.io/zone`, which every cloud sets.
        #[default]
        None = "none",
        /// `karpenter.sh/capacity-type`, `karpenter.sh/nodepool`.
        Karpenter = "karpenter",
        /// `eks.amazonaws.com/capacityType`, `eks.amazonaws.com/nodegroup`.
        Eks = "eks",
        /// `cloud.google.com/gke-provisioning`, `cloud.google.com/gke-nodepool`.
        Gke = "gke",
        /// `kubernetes.azure.com/scalesetpriority`, `kubernetes.azure.com/agentpool`.
        Aks = "aks",
    }

    /// Purchase option of a node.
    pub enum Capacity {
        /// Cheap, and may be taken away.
        #[default]
        Spot = "spot",
        /// Stays.
        OnDemand = "on-demand",
    }

    /// Whether user pods share nodes.
    pub enum OnePodPerNode {
        /// They may.
        #[default]
        None = "none",
        /// They do where nothing else is free.
        Preferred = "preferred",
        /// They never do.
        Required = "required",
    }

    /// How far one pod per node looks.
    pub enum IsolationScope {
        /// User pods of the hub's namespace.
        #[default]
        Hub = "hub",
        /// User pods of all namespaces.
        Cluster = "cluster",
    }

    /// As in `core/v1`.
    pub enum NodeSelectorOperator {
        /// One of the values.
        #[default]
        In = "In",
        /// None of the values.
        NotIn = "NotIn",
        /// The label is there.
        Exists = "Exists",
        /// It is not.
        DoesNotExist = "DoesNotExist",
        /// A whole number above the value.
        Gt = "Gt",
        /// A whole number below the value.
        Lt = "Lt",
    }

    /// As in `core/v1`.
    pub enum TolerationOperator {
        /// Key and value are equal.
        #[default]
        Equal = "Equal",
        /// The key is there.
        Exists = "Exists",
    }

    /// As in `core/v1`.
    pub enum TaintEffect {
        /// New pods stay away.
        #[default]
        NoSchedule = "NoSchedule",
        /// New pods stay away if they can.
        PreferNoSchedule = "PreferNoSchedule",
        /// Running pods leave.
        NoExecute = "NoExecute",
    }

    /// As in `core/v1`.
    pub enum AccessMode {
        /// One node reads and writes.
        #[default]
        ReadWriteOnce = "ReadWriteOnce",
        /// Many nodes read.
        ReadOnlyMany = "ReadOnlyMany",
        /// Many nodes read and write.
        ReadWriteMany = "ReadWriteMany",
        /// One pod reads and writes.
        ReadWriteOncePod = "ReadWriteOncePod",
    }

    /// A thing that user pods may never have.
    pub enum SecurityRule {
        /// `securityContext.privileged`.
        #[default]
        Privileged = "privileged",
        /// Added Linux capabilities.
        Capabilities = "capabilities",
        /// `hostPath` volumes.
        HostPath = "hostPath",
        /// `hostNetwork`, `hostPID`, `hostIPC`.
        HostNamespaces = "hostNamespaces",
        /// Host ports.
        HostPorts = "hostPorts",
        /// Seccomp, `AppArmor`, `SELinux`, `procMount`, sysctls off their defaults.
        Confinement = "confinement",
    }
}
