"""What other tools say of the files under deploy/. A missing tool fails a test where CI is set, else skips it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_agreement import DEPLOY, KUBERNETES, queries

OVERLAYS = ("base", "overlays/cert-manager", "overlays/keda", "overlays/learners", "overlays/monitoring")


def tool(name: str) -> str:
    """Where it is: on the path, or beside this Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_dockerfile_is_as_hadolint_likes_it() -> None:
    assert run(tool("hadolint"), DEPLOY / "Dockerfile") == ""


def test_prometheus_takes_the_rules_and_every_alert_fires_when_it_should_and_only_then() -> None:
    run(tool("promtool"), "check", "rules", DEPLOY / "prometheus" / "rules.yml")
    run(tool("promtool"), "test", "rules", DEPLOY / "prometheus" / "rules.test.yml")


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """Its certificates are made when the fleet starts, so others stand in for them."""
    shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus")
    file = tmp_path / "prometheus" / "prometheus.yml"
    file.write_text(file.read_text().replace("/certificates/", f"{tmp_path}/"))
    run(sys.executable, "-m", "chorus", "certs", tmp_path)
    run(tool("promtool"), "check", "config", file)


def test_every_query_can_be_read(tmp_path: Path) -> None:
    rules = [{"record": f"query{number}", "expr": query} for number, query in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(tool("promtool"), "check", "rules", file)


@pytest.mark.parametrize("folder", OVERLAYS)
def test_manifests_are_what_kubernetes_takes(folder: str, tmp_path: Path) -> None:
    """kubectl comes from no package that CI can have everywhere, so without it this is skipped even there."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    built = run(kubectl, "kustomize", KUBERNETES / folder)
    known = [item for item in yaml.safe_load_all(built) if "." not in item["apiVersion"].replace(".k8s.io", "")]
    file = tmp_path / "known.yaml"
    file.write_text(yaml.safe_dump_all(known))
    said = run(tool("kubernetes-validate"), "--strict", file)
    assert len(known) > 10, said
