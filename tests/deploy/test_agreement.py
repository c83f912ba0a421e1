"""Image, compose file, manifests, dashboard, rules and code speak of the same things, so that none can drift."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from chorus.commands.parser import build_parser
from chorus.common.monitoring import metrics
from chorus.common.monitoring.health import LIVE, READY
from chorus.common.monitoring.metrics_page import page
from chorus.common.settings import config
from chorus.common.settings.plain import read
from chorus.learner.group.processes import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
USER = 10001
PORTS = {"learner": {"grpc": 50051, "metrics": 9100, "health": 9101}, "actor": {"metrics": 9100, "health": 9101}}
COMPONENT = "app.kubernetes.io/component"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def manifests(*folders: str) -> list[dict[str, Any]]:
    """Every object of these folders, which kustomize would put together."""
    files = [file for folder in folders for file in sorted((KUBERNETES / folder).glob("*.yaml"))]
    apart = ("kustomization.yaml", "config.yaml", "adapter.yaml")
    return [item for file in files if file.name not in apart for item in yaml.safe_load_all(file.read_text())]


def one(kind: str, name: str, *folders: str) -> dict[str, Any]:
    (found,) = [item for item in manifests(*folders) if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


def pod(role: str) -> dict[str, Any]:
    spec: dict[str, Any] = one("StatefulSet" if role == "learner" else "Deployment", role, "base")["spec"]["template"]
    return spec


def stage(role: str) -> str:
    """What the Dockerfile says of an image."""
    return (DEPLOY / "Dockerfile").read_text().split(f"AS {role}\n")[1].split("\nFROM ")[0]


def entrypoint(role: str) -> list[str]:
    (line,) = re.findall(r"^ENTRYPOINT (.*)$", stage(role), re.MULTILINE)
    words: list[str] = json.loads(line)
    return words


def compose() -> dict[str, Any]:
    services: dict[str, Any] = load(ROOT / "docker-compose.yml")["services"]
    return services


# -- metric names


def exported() -> set[str]:
    """The names of all series that learner and actors can have."""
    registry = metrics.registry()
    roles = [*vars(metrics.LearnerMetrics(registry)).values(), *vars(metrics.ActorMetrics(registry)).values()]
    suffixes = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    names = {
        family.name + suffix for metric in roles for family in metric.describe() for suffix in suffixes[family.type]
    }
    return names | {sample.name for family in registry.collect() for sample in family.samples}


def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(DEPLOY / "prometheus" / "rules.yml")["groups"]
    return found


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """The rules that record something, or the alerts, by name."""
    return {rule[kind]: rule for group in groups() for rule in group["rules"] if kind in rule}


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "chorus.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Every PromQL expression that is deployed."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    ruled = [rule["expr"] for rule in [*rules("record").values(), *rules("alert").values()]]
    (trigger,) = one("ScaledObject", "actor", "overlays/keda")["spec"]["triggers"]
    (external,) = load(KUBERNETES / "overlays/monitoring/adapter.yaml")["rules"]["external"]
    return [*shown, *ruled, trigger["metadata"]["query"], external["seriesQuery"], external["metricsQuery"]]


def names_in(query: str) -> set[str]:
    """The metrics that an expression names; what else has a name in PromQL is taken away first."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", query)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?![a-zA-Z0-9_:]*\s*\()", re.sub(r"\b\d[\w.+-]*", " ", bare))
    return set(words) - {"and", "or", "unless", "bool", "offset", "Inf"}


def test_every_query_names_only_what_is_exported() -> None:
    known = exported() | set(rules("record")) | {"up"}
    strangers = {query: names_in(query) - known for query in queries() if names_in(query) - known}
    assert not strangers
    assert all(names_in(query) for query in queries())


def test_the_finder_of_names_would_find_a_stranger() -> None:
    assert names_in('sum by (phase) (rate(chorus_x_total{job="a",le!="b"}[5m])) / 1e-5 > bool chorus:y:sum') == {
        "chorus_x_total",
        "chorus:y:sum",
    }


def test_every_refusal_has_a_series_from_the_start() -> None:
    trees = [ast.parse((ROOT / "learner" / "service" / name).read_text()) for name in ("server.py", "connection.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named: set[str] = set()
    for call in calls:
        function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        place = {"Unlawful": 1, "refuse": 0}.get(function)
        if place is not None and len(call.args) > place and isinstance(call.args[place], ast.Constant):
            named.add(str(call.args[place].value))  # type: ignore[attr-defined]
    assert len(named) > 8
    assert named <= set(metrics.REFUSALS)
    registry = CollectorRegistry()
    metrics.LearnerMetrics(registry)
    for reason in metrics.REFUSALS:
        assert registry.get_sample_value("chorus_refusals_total", {"reason": reason}) == 0


def test_the_page_of_metrics_is_that_of_the_code() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == page(), "make derived"


# -- alerts


def test_every_alert_has_its_runbook() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", text, re.MULTILINE)}
    for name, rule in rules("alert").items():
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert name.lower() in headings
    assert headings == {name.lower() for name in rules("alert")}, "a runbook for an alert that there is not"


def test_every_alert_is_tested_both_ways() -> None:
    tests = load(DEPLOY / "prometheus" / "rules.test.yml")["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(rules("alert"))
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == set(rules("alert"))


def test_the_rules_for_kubernetes_are_the_same() -> None:
    assert one("PrometheusRule", "chorus", "overlays/monitoring")["spec"] == {"groups": groups()}, "make derived"


# -- the dashboard


def test_every_panel_says_what_it_shows() -> None:
    for panel in panels():
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
    assert len({panel["title"] for panel in panels()}) == len(panels())
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_grafana_asks_the_prometheus_that_is_there() -> None:
    (source,) = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    used = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    assert used == {source["uid"]}
    (provider,) = load(DEPLOY / "grafana/provisioning/dashboards/chorus.yaml")["providers"]
    mounts = dict(reversed(mount.split(":")[:2]) for mount in compose()["grafana"]["volumes"])
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"


# -- ports, probes, users, command lines


@pytest.mark.parametrize("role", PORTS)
def test_ports_are_the_same_everywhere(role: str) -> None:
    ports = PORTS[role]
    words = entrypoint(role)
    assert words[:2] == ["chorus", role]
    assert int(words[words.index("--metrics-port") + 1]) == ports["metrics"]
    assert int(words[words.index("--health-port") + 1]) == ports["health"]
    (exposed,) = re.findall(r"^EXPOSE (.*)$", stage(role), re.MULTILINE)
    assert {int(port) for port in exposed.split()} == set(ports.values())
    (container,) = pod(role)["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == ports
    for port in one("Service", role, "base")["spec"]["ports"]:
        assert port["port"] == ports[port["targetPort"]]
    (job,) = [job for job in load(DEPLOY / "prometheus/prometheus.yml")["scrape_configs"] if job["job_name"] == role]
    assert job["dns_sd_configs"] == [{"names": [role], "type": "A", "port": ports["metrics"], "refresh_interval": "5s"}]
    assert job["tls_config"]["server_name"] == role


def test_actors_are_sent_to_where_the_learner_listens() -> None:
    words = entrypoint("learner")
    port = PORTS["learner"]["grpc"]
    assert words[words.index("--listen") + 1] == f"0.0.0.0:{port}"
    (container,) = pod("actor")["spec"]["containers"]
    assert container["args"] == compose()["actor"]["command"] == ["--learner", f"learner:{port}"]
    egress = one("NetworkPolicy", "actor", "base")["spec"]["egress"]
    assert [rule["port"] for rule in egress[0]["ports"]] == [port]
    assert f":{port}" in compose()["learner"]["ports"][0]


@pytest.mark.parametrize("role", PORTS)
def test_command_lines_are_understood(role: str) -> None:
    (container,) = pod(role)["spec"]["containers"]
    command = compose()[role]["command"]
    words = command if isinstance(command, list) else re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", command).split()
    for given in (container["args"], words):
        assert build_parser().parse_args([*entrypoint(role)[1:], *given]).command == role
    (check,) = re.findall(r"^HEALTHCHECK .* CMD (.*)$", stage(role), re.MULTILINE)
    assert build_parser().parse_args(json.loads(check)[1:]).address == f"grpc://127.0.0.1:{PORTS[role]['health']}"
    certificates = build_parser().parse_args(compose()["certificates"]["entrypoint"][1:])
    assert (certificates.host, certificates.metrics_host, certificates.renew) == (["learner"], ["actor"], True)


@pytest.mark.parametrize("role", PORTS)
def test_probes_ask_for_services_that_there_are(role: str) -> None:
    (container,) = pod(role)["spec"]["containers"]
    probes = {kind: container[f"{kind}Probe"]["grpc"] for kind in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {PORTS[role]["health"]}
    assert [probes[kind].get("service", "") for kind in ("startup", "readiness", "liveness")] == ["", READY, LIVE]


@pytest.mark.parametrize("role", PORTS)
def test_nobody_is_root_or_writes_where_it_should_not(role: str) -> None:
    assert f"USER {USER}:{USER}" in stage(role)
    spec = pod(role)["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert compose()[role]["read_only"]
    assert compose()[role]["cap_drop"] == ["ALL"]
    assert compose()["prometheus"]["group_add"] == [str(USER)]


@pytest.mark.parametrize("role", PORTS)
def test_certificates_lie_where_they_are_looked_for(role: str) -> None:
    known = set(re.findall(r"CHORUS_TLS_\w+", (ROOT / "common" / "transport" / "credentials.py").read_text()))
    (container,) = pod(role)["spec"]["containers"]
    assert {variable["name"] for variable in container["env"]} == known == set(compose()[role]["environment"])
    files = [variable["value"].rpartition("/") for variable in container["env"]]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "certificates"]
    assert {folder for folder, _, _ in files} == {mount["mountPath"]}
    assert [file for _, _, file in files] == ["ca.crt", "tls.crt", "tls.key"]
    (volume,) = [volume for volume in pod(role)["spec"]["volumes"] if volume["name"] == "certificates"]
    made = one("Certificate", role, "overlays/cert-manager")["spec"]
    assert made["secretName"] == volume["secret"]["secretName"]
    assert role in made["dnsNames"]
    assert set(made["usages"]) == {"server auth", "client auth"}
    kind, endpoints = ("ServiceMonitor", "endpoints") if role == "learner" else ("PodMonitor", "podMetricsEndpoints")
    (endpoint,) = one(kind, role, "overlays/monitoring")["spec"][endpoints]
    assert endpoint["port"] == "metrics"
    assert endpoint["tlsConfig"]["serverName"] == role
    secret = one("Certificate", "metrics", "overlays/cert-manager")["spec"]["secretName"]
    assert {part["name"] for part in endpoint["tlsConfig"]["ca"].values()} == {secret}


def test_every_selector_finds_its_pods() -> None:
    labels = [pod(role)["metadata"]["labels"] for role in PORTS]
    assert labels == [{COMPONENT: role} for role in PORTS]
    for item in manifests("base", "overlays/monitoring"):
        spec = item.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {}
        match = selector.get("matchLabels", selector if item["kind"] == "Service" else {})
        assert set(match) <= {COMPONENT}
        assert set(match.values()) <= set(PORTS)


def test_scaling_is_by_the_metric_that_says_that_actors_bound_the_run() -> None:
    (external,) = load(KUBERNETES / "overlays/monitoring/adapter.yaml")["rules"]["external"]
    (metric,) = one("HorizontalPodAutoscaler", "actor", "base")["spec"]["metrics"]
    (trigger,) = one("ScaledObject", "actor", "overlays/keda")["spec"]["triggers"]
    assert metric["external"]["metric"]["name"] == external["name"]["as"]
    assert metric["external"]["target"]["value"] == "900m"
    assert float(trigger["metadata"]["threshold"]) == 0.9
    assert trigger["metadata"]["query"] == external["metricsQuery"] == "chorus:actor_busy:ratio1m"


def test_the_config_of_kubernetes_is_one() -> None:
    config.check(read(KUBERNETES / "base" / "config.yaml"))


class ComposeLoader(yaml.SafeLoader):
    """YAML with the tag by which a compose file replaces what it would else add to."""


def override(loader: ComposeLoader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node)


ComposeLoader.add_constructor("!override", override)


def test_the_learner_containers_of_compose_run_what_the_image_runs() -> None:
    overlay = yaml.load((DEPLOY / "compose.learners.yml").read_text(), ComposeLoader)  # noqa: S506  # a SafeLoader
    learner = overlay["services"]["learner"]
    words: list[str] = learner["entrypoint"]
    assert words[0] == "torchrun"
    assert words[words.index("-m") + 1 :] == entrypoint("learner")
    assert f"--nnodes={learner['deploy']['replicas']}" in words
    assert "--rdzv-endpoint=${COMPOSE_PROJECT_NAME}-learner-1:29400" in words
    assert learner["ports"] == [f"127.0.0.1::{PORTS['learner']['grpc']}"]  # no two containers want the same one


def test_the_learners_of_an_overlay_find_one_another_as_the_code_looks_for_them() -> None:
    overlay = load(KUBERNETES / "overlays/learners/kustomization.yaml")
    learner, service = (yaml.safe_load(one["patch"]) for one in overlay["patches"])
    (container,) = learner["spec"]["template"]["spec"]["containers"]
    told = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert set(told) == set(VARIABLES)
    assert int(str(told["WORLD_SIZE"])) == learner["spec"]["replicas"]
    base = one("StatefulSet", "learner", "base")
    assert told["MASTER_ADDR"] == f"{base['metadata']['name']}-0.{base['spec']['serviceName']}"
    assert service["spec"]["publishNotReadyAddresses"] and learner["spec"]["podManagementPolicy"] == "Parallel"
