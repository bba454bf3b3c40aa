use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A resource quantity, read and written as Kubernetes' `resource.Quantity` does.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Quantity(String);
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(d)? {
            serde_json::Value::String(s) => Ok(Quantity(s)),
            serde_json::Value::Number(n) => Ok(Quantity(n.to_string())),
            _ => Err(D::Error::custom("quantity")),
        }
    }
}
