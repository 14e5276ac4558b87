//! Which addresses are public. Everything that is not known to be is not.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a row that says nothing of private peers may reach this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => public_v4(address),
        IpAddr::V6(address) => public_v6(address),
    }
}

/// Whether any row may reach it: not what stands for many machines or for none.
pub(super) fn is_one_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast() || address.octets()[0] == 0);
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// What the registry of special addresses (RFC 6890 and its successors) leaves.
fn public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network, private, loopback, multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        // Shared between a provider and its customers.
        100 => (64..128).contains(&b),
        // Link-local, which is where clouds keep their secrets.
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Private; protocol assignments; documentation; relays from IPv6; direct delegation.
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99) || (b == 31 && c == 196) || (b == 52 && c == 193),
        // Benchmarks; documentation.
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special
}

/// Global unicast, without the parts of it that carry an IPv4 address or are for documentation. Mapped, translated, unique-local,
/// link-local and multicast addresses are outside of it.
fn public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = match a {
        // Protocol assignments with Teredo; documentation.
        0x2001 => b < 0x200 || b == 0xdb8,
        // 6to4.
        0x2002 => true,
        0x3fff => b < 0x1000,
        _ => false,
    };
    a & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn b_32_only_known_public_addresses_are_public() {
        for public in ["1.1.1.1", "93.184.215.14", "100.63.0.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "203.0.113.9",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "100::1",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn b_32_what_is_not_one_machine_is_reached_by_nobody() {
        for one in ["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1"] {
            assert!(is_one_machine(one.parse().unwrap()), "{one}");
        }
        for other in ["0.0.0.0", "0.0.0.1", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:224.0.0.1"] {
            assert!(!is_one_machine(other.parse().unwrap()), "{other}");
        }
    }
}
