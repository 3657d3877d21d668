"""Which addresses are public."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetool_core.assets.addresses import is_public

PUBLIC = [
    "8.8.8.8",
    "93.184.215.14",
    "1.1.1.1",
    "172.32.0.1",
    "192.88.98.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]

NOT_PUBLIC = [
    *(
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
    ),
    *(
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
    ),
    *(
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ),
    # V5: the relay of 6to4, and its brothers: transition mechanisms, site-local, what was assigned
    # of late, a cloud's own service.
    *(
        "192.88.99.1",
        "::ffff:192.88.99.1",
        "64:ff9b::c058:6301",
        "2002:808:808::1",
        "2001:0:808:808::1",
        "::8.8.8.8",
    ),
    *(
        "64:ff9b:1::808:808",
        "fec0::1",
        "5f00::1",
        "3fff::1",
        "100::1",
        "4000::1",
        "::ffff:0:8.8.8.8",
        "2001:20::1",
    ),
    *(
        "168.63.129.16",
        "192.0.0.192",
        "192.0.0.9",
        "100.100.100.200",
        "fd00:ec2::254",
        "192.31.196.1",
        "192.52.193.1",
    ),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_to_be_none(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    inner = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    assert not is_public(str(ip)) or (inner or ip).is_global


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_counts_as_what_it_is(inner: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        outer = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(inner))
        assert is_public(str(outer)) == is_public(str(inner))
