//! From a policy's words about nodes to node labels.

use crate::document::{
    Capacity, NodeLabelPreset, NodeLabels, NodeSelectorOperator, NodeSelectorRequirement, Nodes, TaintEffect,
    Toleration,
};

/// Well-known since Kubernetes 1.17; every cloud sets it.
pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// Well-known since Kubernetes 1.17; every cloud sets it.
pub const ZONE: &str = "topology.kubernetes.io/zone";

impl NodeLabels {
    /// Key of the machine type.
    pub fn instance_type_key(&self) -> &str {
        self.instance_type.as_deref().unwrap_or(INSTANCE_TYPE)
    }

    /// Key of the zone.
    pub fn zone_key(&self) -> &str {
        self.zone.as_deref().unwrap_or(ZONE)
    }

    /// Key of the purchase option, where the preset or the policy names one.
    pub fn capacity_key(&self) -> Option<&str> {
        self.capacity.as_deref().or(match self.preset {
            NodeLabelPreset::Karpenter => Some("karpenter.sh/capacity-type"),
            NodeLabelPreset::Eks => Some("eks.amazonaws.com/capacityType"),
            NodeLabelPreset::Gke => Some("cloud.google.com/gke-provisioning"),
            NodeLabelPreset::Aks => Some("kubernetes.azure.com/scalesetpriority"),
            NodeLabelPreset::None => None,
        })
    }

    /// Key of the node pool, where the preset or the policy names one.
    pub fn pool_key(&self) -> Option<&str> {
        self.pool.as_deref().or(match self.preset {
            NodeLabelPreset::Karpenter => Some("karpenter.sh/nodepool"),
            NodeLabelPreset::Eks => Some("eks.amazonaws.com/nodegroup"),
            NodeLabelPreset::Gke => Some("cloud.google.com/gke-nodepool"),
            NodeLabelPreset::Aks => Some("kubernetes.azure.com/agentpool"),
            NodeLabelPreset::None => None,
        })
    }

    /// How the platform says spot or on demand. A key of the policy's own takes Karpenter's words.
    fn capacity(&self, capacity: Capacity) -> Option<NodeSelectorRequirement> {
        let key = self.capacity_key()?.to_owned();
        let preset = if self.capacity.is_some() { NodeLabelPreset::None } else { self.preset };
        let (operator, value) = match (preset, capacity) {
            (NodeLabelPreset::Eks, Capacity::Spot) => (NodeSelectorOperator::In, "SPOT"),
            (NodeLabelPreset::Eks, Capacity::OnDemand) => (NodeSelectorOperator::In, "ON_DEMAND"),
            (NodeLabelPreset::Gke, Capacity::OnDemand) => (NodeSelectorOperator::In, "standard"),
            // AKS labels spot nodes only.
            (NodeLabelPreset::Aks, Capacity::OnDemand) => (NodeSelectorOperator::NotIn, "spot"),
            (_, Capacity::Spot) => (NodeSelectorOperator::In, "spot"),
            (_, Capacity::OnDemand) => (NodeSelectorOperator::In, "on-demand"),
        };
        Some(NodeSelectorRequirement { key, operator, values: vec![value.into()] })
    }
}

/// What a node must match, all of it.
pub fn requirements(nodes: &Nodes, keys: &NodeLabels) -> Vec<NodeSelectorRequirement> {
    let one_of = |key: &str, values: &[String]| NodeSelectorRequirement {
        key: key.to_owned(),
        operator: NodeSelectorOperator::In,
        values: values.to_vec(),
    };
    let mut all: Vec<_> =
        nodes.labels.iter().map(|(key, value)| one_of(key, std::slice::from_ref(value))).collect();
    if !nodes.instance_types.is_empty() {
        all.push(one_of(keys.instance_type_key(), &nodes.instance_types));
    }
    all.extend(nodes.capacity.and_then(|capacity| keys.capacity(capacity)));
    if let (Some(key), false) = (keys.pool_key(), nodes.pools.is_empty()) {
        all.push(one_of(key, &nodes.pools));
    }
    if !nodes.zones.is_empty() {
        all.push(one_of(keys.zone_key(), &nodes.zones));
    }
    all.extend(nodes.match_expressions.iter().cloned());
    all
}

/// Taints that pods on these nodes bear: those that the policy lists, and AKS's own on spot nodes.
pub fn tolerations(nodes: &Nodes, keys: &NodeLabels) -> Vec<Toleration> {
    let mut all = nodes.tolerations.clone();
    if keys.preset == NodeLabelPreset::Aks && nodes.capacity == Some(Capacity::Spot) {
        all.push(Toleration {
            key: Some("kubernetes.azure.com/scalesetpriority".into()),
            value: Some("spot".into()),
            effect: Some(TaintEffect::NoSchedule),
            ..Toleration::default()
        });
    }
    all
}
