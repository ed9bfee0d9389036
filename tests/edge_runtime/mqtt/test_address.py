"""Broker URLs: what is read, what is refused, and that the password never shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import UsageError
from edge_runtime.mqtt.address import BrokerAddress


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://hub", BrokerAddress("mqtt", "hub", 1883)),
        ("mqtt://hub.local:1884/", BrokerAddress("mqtt", "hub.local", 1884)),
        ("MQTT://HUB", BrokerAddress("mqtt", "hub", 1883)),
        ("mqtts://hub", BrokerAddress("mqtts", "hub", 8883)),
        ("mqtts://hub?ca=/etc/ssl/my%20ca.crt", BrokerAddress("mqtts", "hub", 8883, ca_file="/etc/ssl/my ca.crt")),
        ("mqtts://hub?cert=/a.pem", BrokerAddress("mqtts", "hub", 8883, cert_file="/a.pem")),
        (
            "mqtts://ann@hub?key=/k%26&ca=/c&cert=/a+b",
            BrokerAddress("mqtts", "hub", 8883, "", "ann", "", "/c", "/a b", "/k&"),
        ),
        ("mqtt://ann@hub", BrokerAddress("mqtt", "hub", 1883, username="ann")),
        ("mqtt://ann:s%40%3a%2f@hub", BrokerAddress("mqtt", "hub", 1883, username="ann", password="s@:/")),
        ("mqtt://a%20b:p@[::1]:99", BrokerAddress("mqtt", "::1", 99, username="a b", password="p")),
        ("mqtt://[fe80::1%25eth0]", BrokerAddress("mqtt", "fe80::1%eth0", 1883)),
        ("unix:///run/mqtt.sock", BrokerAddress("unix", path="/run/mqtt.sock")),
        ("unix://ann:p@/run/my%20mqtt", BrokerAddress("unix", path="/run/my mqtt", username="ann", password="p")),
    ],
)
def test_a_url_gives_its_parts_and_the_parts_give_the_url(url: str, address: BrokerAddress) -> None:
    assert BrokerAddress.parse(url) == address
    assert BrokerAddress.parse(address.url()) == address


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "no scheme"),
        ("hub", "no scheme"),
        ("hub:1883", "starts with 'hub'"),
        ("http://hub", "starts with 'http'"),
        ("ws://hub", "starts with 'ws'"),
        ("mqtt:hub", "no host"),
        ("mqtt://", "no host"),
        ("mqtt://:1883", "no host"),
        ("mqtt://user:pass@", "no host"),
        ("mqtt://hub/topic", "path"),
        ("mqtt://hub#top", "fragment"),
        ("mqtt://hub:0", "port 0"),
        ("mqtt://hub:65536", "cannot be read"),
        ("mqtt://hub:port", "cannot be read"),
        ("mqtt://[::1", "cannot be read"),
        ("mqtt://a b", "bad host"),
        ("mqtt://hub\0", "bad host"),
        ("mqtt://:secret@hub", "no user"),
        ("mqtt://a%00:b@hub", "NUL"),
        ("mqtt://hub?ca=/x", "query"),
        ("mqtts://hub?ca=", "query"),
        ("mqtts://hub?ca=/x&ca=/y", "query"),
        ("mqtts://hub?cafile=/x", "query"),
        ("mqtts://hub?key=/x", "no certificate"),
        ("mqtts://hub?cert=", "query"),
        ("mqtts://hub?cert=/x&cert=/y", "query"),
        ("mqtts://hub?ca=/x%00", "NUL"),
        ("mqtt://hub?cert=/x", "query"),
        ("unix://", "absolute path"),
        ("unix:///", "absolute path"),
        ("unix://run/mqtt.sock", "three slashes"),
        ("unix:///run/mqtt%00", "absolute path"),
        ("unix:///run/mqtt?ca=/x", "no query"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(url: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        BrokerAddress.parse(url)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "url",
    ["mqtt://ann:hunter2@hub/x", "mqtt://ann:hunter2@hub:0", "mqtts://ann:hunter2@hub?x=1", "mqtt://ann:hunter2/3@hub"],
)
def test_a_refusal_does_not_repeat_the_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        BrokerAddress.parse(url)
    assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}"


@pytest.mark.parametrize("url", ["mqtts://ann:hunter2@hub:1?ca=/ca.crt", "unix://ann:hunter2@/run/mqtt.sock"])
def test_the_password_shows_in_the_url_only(url: str) -> None:
    address = BrokerAddress.parse(url)
    assert "hunter2" in address.url()
    assert "hunter2" not in f"{address!r} {address} {address.display()}"
    assert BrokerAddress.parse(address.display()).username == "ann"


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(WORDS.filter(bool), WORDS, st.integers(1, 65535))
def test_any_login_survives_the_way_through_a_url(username: str, password: str, port: int) -> None:
    address = BrokerAddress("mqtt", "hub", port, username=username, password=password)
    assert BrokerAddress.parse(address.url()) == address


@given(st.text(max_size=60) | st.text(max_size=40).map("mqtt://".__add__) | st.text(max_size=40).map("unix://".__add__))
def test_no_text_makes_parsing_fail_in_another_way(text: str) -> None:
    try:
        address = BrokerAddress.parse(text)
    except UsageError:
        return
    assert BrokerAddress.parse(address.url()) == address
