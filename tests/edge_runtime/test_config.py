"""Config: file, then environment, then command line; a key that does not exist is never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.config import Config, keys, load_config, overridden
from edge_runtime.errors import ConfigError


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "edgert.toml"
    file.write_text(text)
    return file


def test_defaults_need_no_file() -> None:
    config = load_config(None, {})
    assert config.broker.url == "mqtt://127.0.0.1:1883"
    assert config.limits.queue_requests == 32
    assert config.device


def test_the_file_is_read(tmp_path: Path) -> None:
    file = write(
        tmp_path, 'device = "hub"\nbundles = ["a", "b"]\n[broker]\nroot = "home/ai"\n[limits]\ntext_chars = 10\n'
    )
    config = load_config(file, {})
    assert (config.device, config.bundles, config.broker.root, config.limits.text_chars) == (
        "hub",
        ("a", "b"),
        "home/ai",
        10,
    )


def test_the_environment_lies_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = write(tmp_path, '[broker]\nurl = "mqtt://file"\nkeepalive_s = 5\n')
    environment = {"EDGERT_BROKER_URL": "mqtt://env", "EDGERT_LIMITS_QUEUE_REQUESTS": "7", "EDGERT_BUNDLES": "x, y"}
    config = load_config(file, environment)
    assert (config.broker.url, config.broker.keepalive_s, config.limits.queue_requests) == ("mqtt://env", 5, 7)
    assert config.bundles == ("x", "y")
    assert overridden(config, url="mqtt://line", bundles=("z",)).broker.url == "mqtt://line"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("devise = 'x'", "devise: unknown key"),
        ("[broker]\nhost = 'x'", r"broker\.host: unknown key"),
        ("[limits]\nqueue_requests = 'many'", r"limits\.queue_requests: expected a whole number"),
        ("[limits]\nqueue_requests = 0", r"limits\.queue_requests is 0"),
        ("[runtime]\nlog_level = 'loud'", "log_level"),
        ("[broker]\nroot = 'a/+/b'", r"broker\.root"),
        ("device = 'living room'", "device"),
        ("device = ", "not TOML"),
        ("broker = 3", "broker: expected a table"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_config(write(tmp_path, text), {})


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("EDGERT_BROKER_HOST", "x", "EDGERT_BROKER_HOST, expected one of .*EDGERT_BROKER_URL"),
        ("EDGERT_BROKER_KEEPALIVE_S", "soon", "EDGERT_BROKER_KEEPALIVE_S is 'soon'"),
    ],
)
def test_a_bad_variable_is_refused_by_name(name: str, value: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_config(None, {name: value})


@pytest.mark.parametrize("name", ["EDGERT_CACHE", "EDGERT_TORCH_INDEX", "EDGERT_EXPORT_APART"])
def test_variables_of_the_workstation_are_no_settings(name: str) -> None:
    assert load_config(None, {name: ""}) == load_config(None, {name: "x"}) == load_config(None, {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml", {})


def test_the_password_is_not_in_the_representation() -> None:
    config = load_config(None, {"EDGERT_BROKER_PASSWORD": "hunter2"})
    assert config.broker.password == "hunter2"
    assert "hunter2" not in repr(config)


def test_every_default_is_a_key() -> None:
    assert keys()["limits.payload_bytes"] == Config().limits.payload_bytes
    assert "device" in keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EDGERT_LIMITS_PAYLOAD_BYTES", 268_435_455 - 4096 + 1),
        ("EDGERT_LIMITS_PAYLOAD_BYTES", 0),
        ("EDGERT_LIMITS_REMEMBERED_IDS", 2**31),
        ("EDGERT_RUNTIME_THREADS", 1025),
        ("EDGERT_RUNTIME_THREADS", -1),
    ],
)
def test_a_number_that_nothing_behind_it_can_take_is_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=str(value)):
        load_config(None, {name: str(value)})
