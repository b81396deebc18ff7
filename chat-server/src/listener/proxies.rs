//! The proxies in front of the server, whose word is taken for where a request comes from.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::http::HeaderMap;
use ipnet::IpNet;
use serde::Deserialize;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address, or a network of them, written `10.1.2.3` or `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProxyNetwork(IpNet);

impl FromStr for ProxyNetwork {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text
            .parse()
            .or_else(|_| text.parse().map(|address: IpAddr| address.into()));
        network.map(Self).map_err(|_neither| {
            format!("`{text}` is neither an address nor a network such as 10.0.0.0/8")
        })
    }
}

impl TryFrom<String> for ProxyNetwork {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where a request comes from: from `peer`, unless that is one of the proxies. Then from the last of those whom
/// `X-Forwarded-For` names that is no proxy of ours; what is named before it may be made up.
pub(super) fn client(
    proxies: &[ProxyNetwork],
    peer: SocketAddr,
    headers: &HeaderMap,
) -> SocketAddr {
    let is_proxy = |address: IpAddr| {
        let address = address.to_canonical();
        proxies.iter().any(|network| network.0.contains(&address))
    };
    let mut client = peer;
    let named = headers.get_all(FORWARDED_FOR).iter().rev();
    let named = named.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for name in named {
        if !is_proxy(client.ip()) {
            break;
        }
        let Ok(address) = name.trim().parse::<IpAddr>() else {
            break;
        };
        client = SocketAddr::new(address, 0);
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_is_believed_and_only_as_far_as_it_knows() {
        let proxies: Vec<ProxyNetwork> = ["10.0.0.0/8", "::1"]
            .map(|text| text.parse().unwrap())
            .into();
        let from = |peer: &str, headers: &[&str]| {
            let headers = headers
                .iter()
                .map(|value| (FORWARDED_FOR.parse().unwrap(), value.parse().unwrap()));
            let peer = SocketAddr::new(peer.parse().unwrap(), 5);
            let headers: HeaderMap = headers.collect();
            client(&proxies, peer, &headers).ip().to_string()
        };
        assert_eq!(from("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("::1", &["2001:db8::7"]), "2001:db8::7");
        // What a client writes itself stands before what the proxy adds.
        assert_eq!(from("10.0.0.1", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["1.2.3.4", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            from("10.0.0.1", &["1.2.3.4, 203.0.113.9, 10.9.9.9"]),
            "203.0.113.9"
        );
        assert_eq!(from("10.0.0.1", &["203.0.113.9, what"]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_written_as_one() {
        for text in ["", "10.0.0.0/33", "example.org", "10.0.0", "10.0.0.1:80"] {
            let error = text.parse::<ProxyNetwork>().unwrap_err();
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
    }
}
