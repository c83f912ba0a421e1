"""Run folders as training leaves them, written without training: drawn weights, larger than a run's first."""

from pathlib import Path
from typing import Any

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.environments.registry import make as make_environment
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import make
from chorus.common.process.fingerprint import fingerprint
from chorus.common.settings import config as configuration
from chorus.learner.storage.run_folder import RunFolder
from tests.playground import settings, tensors_for


def write_run(path: Path, environment: str | EnvironmentSpec, **sections: Any) -> Path:
    """A complete run of an environment, named by its spec string or given by its specification."""
    if isinstance(environment, str):
        made = make_environment(environment)
        spec = made.spec
        made.close()
    else:
        spec = environment
    config = configuration.resolve(settings(environment={"spec": spec.name}, **{"updates": 400} | sections), spec)
    folder = RunFolder(path)
    try:
        folder.begin(config, fingerprint(config, spec, divide(spec, config.sharing, config.network)))
        folder.write_environment(spec)
        folder.write_final(make(config.updates, tensors_for(divide(spec, config.sharing, config.network), config)))
    finally:
        folder.close()
    return path
