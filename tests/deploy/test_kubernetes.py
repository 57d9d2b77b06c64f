"""deploy/kubernetes: what the kustomizations name is there, and agrees with settings and compose.yaml."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gateway_project.config import Config
from gateway_project.server import GRACE_S
from tests.deploy import composed
from tests.deploy.test_judges import judged

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy/kubernetes/base"
PRODUCTION = ROOT / "deploy/kubernetes/overlays/production"
SETTINGS = {field.name.upper() for field in msgspec.structs.fields(Config)}
# Probes that every process answers, at its HTTP port or at OPS_PORT.
PROBES = {"/health", "/health/live", "/health/ready"}
ROLES = ("web", "ws", "bridge", "worker")


def resources_in(path: Path) -> list[dict[str, Any]]:
    """The documents of a file."""
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def kustomization(folder: Path) -> dict[str, Any]:
    """What a folder says of itself."""
    [one] = resources_in(folder / "kustomization.yaml")
    return one


def resources_of(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Every resource that the kustomization in `folder` names, by kind and name, before any patch."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name in kustomization(folder)["resources"]:
        path = (folder / name).resolve()
        assert path.exists(), f"{folder.name} names {name}, which is not there"
        if path.is_dir():
            found |= resources_of(path)
            continue
        for one in resources_in(path):
            key = (one["kind"], one["metadata"]["name"])
            assert key not in found, f"{key} is there twice"
            found[key] = one
    return found


def settings_in(path: Path) -> dict[str, str]:
    """The lines of a file for configMapGenerator."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


ALL = resources_of(PRODUCTION)
PODS = {
    name.removeprefix("gateway-"): one["spec"]["template"]["spec"]
    for (kind, name), one in ALL.items()
    if kind in {"Deployment", "Job"}
}
CONTAINERS = [
    pytest.param(container, id=f"{role}-{container['name']}")
    for role, pod in PODS.items()
    for container in [*pod.get("initContainers", []), *pod["containers"]]
]
NAMES = {name: {key[1] for key in ALL if key[0] == name} for name in {key[0] for key in ALL}}


def test_every_file_of_a_folder_is_used() -> None:
    for folder in (BASE, PRODUCTION):
        one = kustomization(folder)
        named = {*one["resources"], *(patch["path"] for patch in one.get("patches", []))}
        named |= {path for made in one["configMapGenerator"] for path in made["envs"]}
        assert {path.name for path in folder.iterdir()} - {"kustomization.yaml"} == {
            name for name in named if "/" not in name
        }


def test_every_patch_changes_something_that_is_there() -> None:
    for patch in kustomization(PRODUCTION)["patches"]:
        for one in resources_in(PRODUCTION / patch["path"]):
            assert (one["kind"], one["metadata"]["name"]) in ALL, patch


def test_images_and_settings_of_the_overlay_are_those_of_the_base() -> None:
    images = {container["image"] for pod in PODS.values() for container in pod["containers"]}
    one = kustomization(PRODUCTION)
    assert {image["name"] for image in one["images"]} == images
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", str(image["newTag"])) for image in one["images"])
    [made] = kustomization(BASE)["configMapGenerator"]
    [merged] = one["configMapGenerator"]
    assert (merged["name"], merged["behavior"]) == (made["name"], "merge")


def test_labels_stay_out_of_selectors() -> None:
    for label in kustomization(BASE)["labels"]:
        assert "includeSelectors" not in label, "it would get into the selectors of other people's Pods"


def test_what_is_asked_for_is_there() -> None:
    assert set(PODS) == {*ROLES, "migrate"}
    roles = {f"gateway-{role}" for role in ROLES}
    assert NAMES["PodDisruptionBudget"] == roles
    assert NAMES["HorizontalPodAutoscaler"] == NAMES["Service"] == {"gateway-web", "gateway-ws"}
    assert NAMES["Ingress"] == {"gateway"}
    assert "Secret" not in NAMES, "values of secrets stand in no file"


def test_whoever_is_scaled_says_nothing_of_its_number() -> None:
    for name in NAMES["Deployment"]:
        scaled = name in NAMES["HorizontalPodAutoscaler"]
        assert ("replicas" in ALL["Deployment", name]["spec"]) is not scaled


@pytest.mark.parametrize("role", PODS)
def test_a_pod_is_nobody_and_has_no_token(role: str) -> None:
    pod = PODS[role]
    assert pod["serviceAccountName"] in NAMES["ServiceAccount"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_is_bounded_and_read_only(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for kind in ("requests", "limits"):
        assert container["resources"][kind].keys() == {"cpu", "memory"}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]  # noqa: S108 - a path in the container


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_variable_is_a_setting_and_comes_from_somewhere(container: dict[str, Any]) -> None:
    [made] = kustomization(BASE)["configMapGenerator"]
    assert [source["configMapRef"]["name"] for source in container["envFrom"]] == [made["name"]]
    assert {variable["name"] for variable in container["env"]} <= SETTINGS
    for variable in container["env"]:
        if "valueFrom" in variable:
            assert variable["valueFrom"] == {"secretKeyRef": {"name": "gateway", "key": variable["name"]}}
        else:
            assert container["name"] == "worker", "only the worker's key is none"


@pytest.mark.parametrize("folder", [BASE, PRODUCTION], ids=lambda folder: folder.name)
def test_every_line_of_the_settings_is_one(folder: Path) -> None:
    assert settings_in(folder / "gateway.env").keys() - SETTINGS == set()


def test_the_worker_is_given_nothing_that_it_could_lose() -> None:
    [worker] = PODS["worker"]["containers"]
    assert {one["name"] for one in worker["env"] if "valueFrom" in one} == {"NATS_URL"}


@pytest.mark.parametrize("role", ROLES)
def test_probes_ask_for_what_the_process_answers_under_a_name_that_it_knows(role: str) -> None:
    [container] = PODS[role]["containers"]
    hosts = settings_in(PRODUCTION / "gateway.env")["ALLOWED_HOSTS"].split(",")
    assert hosts[-1] in settings_in(BASE / "gateway.env")["ALLOWED_HOSTS"].split(",")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    expected = settings_in(BASE / "gateway.env")["OPS_PORT"] if role in {"bridge", "worker"} else "8000"
    assert list(map(str, ports.values())) == [expected]
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[kind]["httpGet"]
        assert asked["path"] in PROBES
        assert asked["port"] in ports
        assert [(one["name"], one["value"] in hosts) for one in asked["httpHeaders"]] == [("Host", True)]
    # A process that cannot reach its stores must not be started again for it.
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"


@pytest.mark.parametrize("role", ROLES)
def test_a_pod_has_time_to_end(role: str) -> None:
    pod = PODS[role]
    [container] = pod["containers"]
    pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    assert ("lifecycle" in container) is (role in {"web", "ws"})
    assert pod["terminationGracePeriodSeconds"] >= int(pause[1]) + GRACE_S + 10


@pytest.mark.parametrize("role", ROLES)
def test_pods_of_a_role_are_spread(role: str) -> None:
    assert [one["topologyKey"] for one in PODS[role]["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]


def test_selectors_find_their_pods() -> None:
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for (kind, name), one in ALL.items()
        if kind in {"Deployment", "Job"}
    }
    for (kind, name), one in ALL.items():
        selector = one.get("spec", {}).get("selector", {})
        if kind in {"Service", "PodDisruptionBudget", "Deployment"}:
            wanted = selector.get("matchLabels", selector)
            assert wanted.items() <= labels[name].items(), (kind, name)
        if kind == "HorizontalPodAutoscaler":
            assert ("Deployment", one["spec"]["scaleTargetRef"]["name"]) in ALL


def test_the_ingress_sends_sockets_to_ws_and_the_rest_to_web() -> None:
    [rule] = ALL["Ingress", "gateway"]["spec"]["rules"]
    ways = {one["path"]: one["backend"]["service"]["name"] for one in rule["http"]["paths"]}
    assert ways == {"/ws/": "gateway-ws", "/": "gateway-web"}
    [patch] = resources_in(PRODUCTION / "ingress.yaml")
    assert patch["spec"]["tls"][0]["hosts"] == [rule["host"]]
    assert rule["host"] in settings_in(PRODUCTION / "gateway.env")["ALLOWED_HOSTS"].split(",")


def test_nothing_goes_in_or_out_but_what_is_needed() -> None:
    policies = {name: one["spec"] for (kind, name), one in ALL.items() if kind == "NetworkPolicy"}
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    reached = {
        name: {
            rule["port"]
            for way in ("ingress", "egress")
            for one in spec.get(way, [])
            for rule in one["ports"]
        }
        for name, spec in policies.items()
    }
    assert reached == {
        "deny-all": set(),
        "names": {53},
        "from-ingress": {8000},
        "from-prometheus": {8000, 9100},
        "to-nats": {4222},
        "to-stores": {5432, 6379},
    }
    [roles] = policies["to-stores"]["podSelector"]["matchExpressions"]
    assert "worker" not in roles["values"]


def test_roles_run_as_they_do_in_compose() -> None:
    services = composed.load()["services"]
    for role, pod in PODS.items():
        assert pod["containers"][0]["args"] == services[role]["command"]


def test_kustomize_renders_what_kubernetes_takes() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed; everything above has looked at the same files without it")
    made = subprocess.run(
        [kubectl, "kustomize", str(PRODUCTION)], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert judged("kubernetes-validate", "--strict", "-", text=made) == ""
    rendered = [one for one in yaml.safe_load_all(made) if one]
    kinds = {one["kind"]: one for one in rendered}
    assert len(rendered) == len(ALL) + 1  # and the ConfigMap that is generated
    # The names of other people's Pods are as they were.
    names = next(one for one in rendered if one["metadata"]["name"] == "names")
    [way] = names["spec"]["egress"]
    assert way["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    config = kinds["ConfigMap"]["metadata"]["name"]
    assert made.count(f"name: {config}\n") == 1 + len(CONTAINERS)
    assert "image: prediction-gateway\n" not in made
