//! Where a simulated node says it can be reached. Nobody listens there: the fleet only pretends to copy.

use std::str::FromStr;

/// Where a node stands: what an address is made from.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The node's id.
    pub id: &'a str,
    /// The zone's number, from 1.
    pub zone: usize,
    /// The rack's number in its zone, from 1.
    pub rack: usize,
    /// The host's number in its rack, from 1.
    pub host: usize,
    /// How many racks each zone has.
    pub racks: usize,
    /// The node's number in the fleet, from 1.
    pub number: usize,
}

/// A pattern for addresses with the placeholders `{id}`, `{zone}`, `{rack}`, `{host}` and `{number}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressTemplate(String);

/// Why a text is no address template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that nobody knows.
    #[error("unknown placeholder {{{0}}}: known are {{id}}, {{zone}}, {{rack}}, {{host}} and {{number}}")]
    Unknown(String),
    /// An opening brace without its closing one.
    #[error("a '{{' has no matching '}}'")]
    Unclosed,
    /// Every node would get the same address.
    #[error(
        "the template gives every node the same address: use {{id}}, {{number}} or {{zone}}, {{rack}} and {{host}}"
    )]
    Shared,
}

impl FromStr for AddressTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            if !["id", "zone", "rack", "host", "number"].contains(&name) {
                return Err(TemplateError::Unknown(name.to_owned()));
            }
            found.push(name);
            rest = tail;
        }
        let has = |name| found.contains(&name);
        if has("id") || has("number") || (has("zone") && has("rack") && has("host")) {
            Ok(AddressTemplate(text.to_owned()))
        } else {
            Err(TemplateError::Shared)
        }
    }
}

impl AddressTemplate {
    /// The address of the node at `position`.
    #[must_use]
    pub fn address(&self, position: Position<'_>) -> String {
        self.0
            .replace("{id}", position.id)
            .replace("{zone}", &position.zone.to_string())
            .replace("{rack}", &position.rack.to_string())
            .replace("{host}", &position.host.to_string())
            .replace("{number}", &position.number.to_string())
    }
}

/// Hosts that one value of the third octet has room for.
const HOSTS_PER_OCTET: usize = 250;

/// `10.zone.rack.host:7000`. A rack of more than 250 hosts goes on under further third octets, past those of
/// the other racks, so that addresses stay valid and distinct.
#[must_use]
pub fn default_address(position: Position<'_>) -> String {
    let Position {
        zone,
        rack,
        host,
        racks,
        id: _,
        number: _,
    } = position;
    let third = rack + racks * ((host - 1) / HOSTS_PER_OCTET);
    let fourth = (host - 1) % HOSTS_PER_OCTET + 1;
    format!("10.{zone}.{third}.{fourth}:7000")
}

#[cfg(test)]
mod tests {
    use super::{AddressTemplate, Position, TemplateError, default_address};

    const POSITION: Position<'_> = Position {
        id: "fleet-0007",
        zone: 2,
        rack: 3,
        host: 1,
        racks: 4,
        number: 7,
    };

    #[test]
    fn the_default_is_a_private_address() {
        assert_eq!(default_address(POSITION), "10.2.3.1:7000");
        assert_eq!(
            default_address(Position {
                host: 251,
                ..POSITION
            }),
            "10.2.7.1:7000"
        );
    }

    #[test]
    fn a_template_is_filled_in() {
        let template: AddressTemplate = "{id}.z{zone}.example:70{number}".parse().unwrap();
        assert_eq!(template.address(POSITION), "fleet-0007.z2.example:707");
    }

    #[test]
    fn a_template_that_cannot_tell_nodes_apart_is_refused() {
        assert_eq!("host:7000".parse::<AddressTemplate>(), Err(TemplateError::Shared));
        assert_eq!(
            "z{zone}:7000".parse::<AddressTemplate>(),
            Err(TemplateError::Shared)
        );
        assert_eq!(
            "{name}:1".parse::<AddressTemplate>(),
            Err(TemplateError::Unknown("name".to_owned()))
        );
        assert_eq!("{id:1".parse::<AddressTemplate>(), Err(TemplateError::Unclosed));
    }
}
