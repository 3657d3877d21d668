"""
Which addresses are public.

What others name must not lead to this machine, its network or its cloud's metadata service.

The tables are those of IANA's registries of special-purpose addresses, with what is routed in
public but leads elsewhere: relays of transition mechanisms, and a cloud's service to its own
machines. They are written out here because the standard library's answer depends on Python's
version.
"""

from __future__ import annotations

import ipaddress
from typing import Final

_NOT_PUBLIC_4: Final = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers; a cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's service to its machines, though of a public range
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112, sink of wrong look-ups
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, whose relays lead to the IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]
_EMBEDDING: Final = [
    ipaddress.IPv6Network(network) for network in ("::ffff:0:0/96", "64:ff9b::/96")
]
"""
IPv4 written as IPv6, and what an IPv6-only network reaches IPv4 by (NAT64).

The last 32 bits are what counts.
"""


def is_public(address: str) -> bool:
    """
    Return whether an IP address is one of the public internet.

    Of an IPv6 address that stands for an IPv4 one, that one counts.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    if any(ip in network for network in _EMBEDDING):
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip in _GLOBAL_UNICAST and not any(ip in network for network in _NOT_PUBLIC_6)
