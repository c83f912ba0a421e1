"""How a group begins a run: process 0 has the run folder, and tells the others where the run stands."""

from __future__ import annotations

import msgspec

from chorus.common.errors import ConfigError
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.settings.plain import differences
from chorus.learner.group.group import Group


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """What process 0 tells.

    Attributes:
        run: the run's id.
        config: resolved, as `config.encode` writes it.
        fingerprint: of the run.
        checkpoint: the newest one, the bytes of its file.
    """

    run: str
    config: bytes
    fingerprint: dict[str, str]
    checkpoint: bytes


def see_same_settings(group: Group, config: Config) -> None:
    """See that all processes were started with the same settings.

    Raises:
        ConfigError: they were not; says what differs.
        GroupFault: a process is gone or does not answer.
    """
    told = [configuration.decode(words) for words in group.gather(configuration.encode(config))]
    for rank, other in enumerate(told):
        changed = differences(configuration.to_dict(told[0]), configuration.to_dict(other))
        if changed:
            raise ConfigError(
                f"learner process {rank} was started with other settings than process 0 (there, here):"
                f" {'; '.join(changed)}; start all with the same"
            )


def tell(group: Group, beginning: Beginning) -> None:
    """Tell the others, as process 0.

    Raises:
        GroupFault: a process is gone or does not answer.
    """
    group.gather(msgspec.json.encode(beginning))


def hear(group: Group) -> Beginning:
    """Where the run stands, as any other process.

    Raises:
        GroupFault: process 0 is gone or does not answer.
    """
    return msgspec.json.decode(group.gather(b"")[0], type=Beginning)
