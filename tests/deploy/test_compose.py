"""docker/compose.yaml agrees with the gateway's settings, with the files beside it, and with itself."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from events import streams
from gateway_project.config import Config
from gateway_project.server import GRACE_S
from tests.deploy import composed
from tests.deploy.composed import FOLDER, GIVEN, SECRETS, VariableMissing

COMPOSE = composed.load()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GATEWAY = ("migrate", "web", "ws", "bridge", "worker", "demo-pipeline")
# Ends by itself, or answers nobody.
NOT_ASKED = {"migrate", "demo-pipeline"}
SETTINGS = {field.name.upper() for field in msgspec.structs.fields(Config)}
every_service = pytest.mark.parametrize("name", SERVICES)


def test_everything_that_was_asked_for_is_there() -> None:
    wanted = {"postgres", "redis", "nats", "nginx", "web", "ws", "bridge", "worker", "prometheus", "grafana"}
    assert wanted | NOT_ASKED == set(SERVICES)
    assert SERVICES["nginx"]["ports"] == ["8000:8000"]
    assert 4 <= int(SERVICES["web"]["command"][-1]) <= 8


@every_service
def test_a_service_is_pinned_bounded_restarted_and_asked_how_it_is(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.search(r"\d+\.\d+\.\d+", tag), service["image"]
    assert service["restart"] == ("on-failure:3" if name == "migrate" else "unless-stopped")
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["healthcheck"].keys() == (
        {"disable"} if name in NOT_ASKED else {"test", "interval", "timeout", "retries", "start_period"}
    )
    assert service["logging"]["options"]["max-size"]


@every_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "devices", "userns_mode"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # Postgres starts as root, gives its folder to its user, and becomes that one.
    assert service.get("read_only", False) is (name != "postgres")
    assert ("cap_add" in service) is (name == "postgres")


@pytest.mark.parametrize("name", GATEWAY)
def test_every_variable_of_the_gateway_is_a_setting(name: str) -> None:
    assert SERVICES[name]["environment"].keys() - SETTINGS == set()


def test_a_process_has_longer_than_its_grace_before_it_is_killed() -> None:
    for name in GATEWAY:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= GRACE_S + 10


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("given", [{}, {"": ""}], ids=["missing", "empty"])
def test_compose_stops_with_the_name_of_a_secret_that_is_missing(secret: str, given: dict[str, str]) -> None:
    without = {name: value for name, value in GIVEN.items() if name != secret}
    without |= {secret: ""} if given else {}
    with pytest.raises(
        VariableMissing, match=rf"^{secret} is missing in docker/\.env; docker/\.env\.example says how"
    ):
        composed.load(given=without)


def test_the_example_of_env_has_every_variable_and_no_secret() -> None:
    asked = composed.variables() | composed.variables("compose.tls.yaml")
    example = composed.example()
    assert example.keys() == asked.keys()
    for name, operators in asked.items():
        default = {text[2:] for text in operators if text.startswith(":-")}
        if name in SECRETS:
            assert example[name] == ""
            assert not default
        elif name == "ALLOWED_HOSTS":
            assert default <= set(example[name].split(","))
        else:
            assert default == {example[name]}, f"{name}: the example is the default"


def test_the_worker_is_given_nothing_that_it_could_lose() -> None:
    for name in ("worker", "demo-pipeline"):
        values = " ".join(SERVICES[name]["environment"].values())
        assert not {secret for secret in SECRETS if GIVEN[secret] in values} - {"NATS_PASSWORD"}


def test_children_of_the_worker_fit_into_its_memory() -> None:
    worker = SERVICES["worker"]
    children = int(worker["command"][-1]) * int(worker["environment"]["EXPLAINER_MEMORY_MB"])
    assert children + 384 <= _mebibytes(worker["deploy"]["resources"]["limits"]["memory"])


def _mebibytes(text: str) -> int:
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]


def test_postgres_has_room_for_every_pool_twice() -> None:
    processes = int(SERVICES["web"]["command"][-1]) + int(SERVICES["ws"]["command"][-1]) + 2
    most = next(word for word in SERVICES["postgres"]["command"] if word.startswith("max_connections="))
    assert 2 * processes * int(SERVICES["web"]["environment"]["DATABASE_POOL_SIZE"]) < int(
        most.partition("=")[2]
    )


def test_networks_keep_apart_what_has_no_business_with_each_other() -> None:
    members: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for network in service["networks"]:
            members.setdefault(network, set()).add(name)
    assert members["edge"] == {"nginx", "web", "ws"}
    assert members["metrics"] == {"prometheus", "web", "ws", "bridge", "worker"}
    assert members["data"] == {"postgres", "redis", "nats", *GATEWAY}
    assert members["pipeline"] == {"nats"}
    assert members["operators"] == {"prometheus", "grafana"}
    assert {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")} == {
        "data",
        "metrics",
    }
    web = SERVICES["web"]["environment"]
    for setting, network in (("TRUSTED_PROXIES", "edge"), ("METRICS_NETWORKS", "metrics")):
        [pool] = COMPOSE["networks"][network]["ipam"]["config"]
        assert web[setting] == pool["subnet"]
        assert ipaddress.ip_network(pool["subnet"]).is_private


def test_only_the_gateway_is_open_to_other_machines() -> None:
    open_ports = {
        (name, port)
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert open_ports == {("nginx", "8000:8000")}


def test_what_is_mounted_is_there_and_read_only() -> None:
    for name in ("compose.yaml", "compose.tls.yaml"):
        for service in composed.load(name)["services"].values():
            for volume in service.get("volumes", []):
                source, target, *mode = volume.split(":")
                if source == "./tls":  # what the person who runs it brings along
                    assert mode == ["ro"]
                elif source.startswith("."):
                    assert (FOLDER / source).exists(), source
                    assert mode == ["ro"], target
                else:
                    assert source in COMPOSE["volumes"], source


def test_prometheus_asks_where_the_services_answer() -> None:
    config = yaml.safe_load((FOLDER / "prometheus/prometheus.yml").read_text())
    asked = {
        place["names"][0]: place["port"]
        for job in config["scrape_configs"]
        for place in job.get("dns_sd_configs", [])
    }
    assert asked == {
        name: int(SERVICES[name]["environment"].get("OPS_PORT", 8000))
        for name in ("web", "ws", "bridge", "worker")
    }
    for name, port in asked.items():
        assert SERVICES[name]["healthcheck"]["test"][-1] == str(port)


def test_grafana_finds_source_and_dashboards_where_they_are_mounted() -> None:
    source = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    boards = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/dashboards.yaml").read_text())
    targets = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    assert boards["providers"][0]["options"]["path"] in targets


def test_redis_forgets_nothing_before_its_time() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--appendonly"] == "yes"


def test_nats_is_new_enough_syncs_every_message_and_has_room_for_the_streams(tmp_path: Path) -> None:
    version = SERVICES["nats"]["image"].partition(":")[2]
    assert tuple(map(int, version.partition("-")[0].split("."))) >= (2, 12)
    text = (FOLDER / "nats.conf").read_text()
    assert "\n  sync_interval: always\n" in text
    room = re.search(r"max_file_store: (\d+)GB", text)
    assert room is not None
    kept = (streams.PREDICTIONS, streams.JOBS, streams.EXPLANATIONS, streams.DEAD_LETTERS)
    assert sum(stream.max_bytes for stream in kept) <= int(room[1]) << 30


@pytest.mark.parametrize("name", ["compose.yaml", "compose.tls.yaml"])
def test_every_file_of_nginx_is_mounted_where_it_is_looked_for(name: str) -> None:
    mounted = {
        Path(volume.split(":")[1])
        for file in {"compose.yaml", name}
        for volume in composed.load(file)["services"]["nginx"]["volumes"]
    }
    for path in (FOLDER / "nginx").glob("*.conf"):
        for included in re.findall(r"include (/etc/nginx/[\w.]+\.conf);", path.read_text()):
            assert Path(included) in mounted
