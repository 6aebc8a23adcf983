"""The manifests, against the schemas of Kubernetes."""

from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
MANIFESTS = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
VERSIONS = ("1.31", "1.37")


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return document


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_understands_each_manifest(path: Path, version: str) -> None:
    kubernetes_validate.validate(read(path.name), version, strict=True)


def test_all_of_them_are_applied_together() -> None:
    assert sorted(read("kustomization.yaml")["resources"]) == [path.name for path in MANIFESTS]


def test_every_part_speaks_of_the_same_pods() -> None:
    deployment, service, budget = map(read, ("deployment.yaml", "service.yaml", "disruption-budget.yaml"))
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels


def test_a_pod_has_time_to_end_its_turns() -> None:
    pod = read("deployment.yaml")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    grace_s = int(read("configuration.yaml")["data"]["IDOLCHAT_SHUTDOWN_GRACE_S"])

    assert pod["terminationGracePeriodSeconds"] >= container["lifecycle"]["preStop"]["sleep"]["seconds"] + grace_s + 15


def test_probes_ask_what_the_server_answers() -> None:
    [container] = read("deployment.yaml")["spec"]["template"]["spec"]["containers"]

    assert {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")} == {
        "/livez",
        "/readyz",
    }
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
