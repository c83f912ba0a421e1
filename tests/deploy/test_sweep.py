"""A sweep on a cluster: the manifests and scripts agree with the command that they call."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from chorus.commands.parser import build_parser
from chorus.sweeps.sweep import read_plan
from tests.deploy.test_agreement import DEPLOY, KUBERNETES
from tests.deploy.test_tools import run, tool

SWEEP = KUBERNETES / "sweep"


def test_the_job_has_an_index_for_each_run_and_calls_the_command_as_it_is() -> None:
    job, claim = yaml.safe_load_all((SWEEP / "job.yaml").read_text())
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == len(read_plan(SWEEP / "sweep.yaml").trials())
    (container,) = spec["template"]["spec"]["containers"]
    words = [word.replace("$(JOB_COMPLETION_INDEX)", "3") for word in container["command"]]
    options = build_parser().parse_args(words[1:])
    assert (options.only, options.file.name) == (3, "sweep.yaml")
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert options.out.is_relative_to(mounts["runs"])
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert volumes["runs"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_job_is_what_kubernetes_takes() -> None:
    run(tool("kubernetes-validate"), "--strict", SWEEP / "job.yaml")


@pytest.mark.parametrize("script", sorted((DEPLOY / "slurm").glob("*.sbatch")), ids=lambda path: path.name)
def test_slurm_scripts_are_sound_shell_and_say_how_they_are_called(script: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    subprocess.run([shell, "-n", script], check=True)
    text = script.read_text()
    assert re.search(r"^#SBATCH --signal=(B:)?TERM@\d+$", text, re.M), "a run must be told before it is cut off"
    called = re.findall(r"^ *(?:exec srun )?chorus (\w+)", text, re.M)
    assert called
    assert set(called) <= {"learner", "sweep", "certs"}
