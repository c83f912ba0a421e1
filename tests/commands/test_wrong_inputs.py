"""Every wrong input is answered: what is wrong, which value, where it was written, what to do; and by an exit code.

A row is a kind of mistake. Rows run in this process, by the entry point of the `chorus` command; none gets as far as an
actor.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chorus.commands.faults import CODES
from chorus.commands.parser import main
from chorus.common.process import logs

FILES: dict[str, str | bytes] = {
    "tabs.yaml": "loss:\n\tentropy: 0.1\n",
    "twice.yaml": "seed: 1\nloss:\n  entropy: 0.1\nseed: 2\n",
    "twice_inside.yaml": "loss:\n  entropy: 0.1\n  entropy: 0.2\n",
    "dotted.yaml": "loss.entropy: 0.1\n",
    "old.yaml": "learner:\n  hidden: 64\n",
    "words.yaml": "seed: 3\noptimiser:\n  learning_rate: fast\n",
    "list.yaml": "- a\n- b\n",
    "broken.yaml": "loss: [1\n",
    "field.yaml": "loss:\n  entropy: {kind: linear, start: 1, finish: 0}\n",
    "begun.yaml": "initial_weights: 8c5f0a6e\n",
    "latin.yaml": b"seed: 1 # \xe9\n",
    "sits.py": "raise RuntimeError('no chair')\n",
    "wordy.py": "def Herd(:\n    pass\n",
    "needy.py": "import a_package_that_there_is_not\n",
    "leaves.py": "import sys\nsys.exit(3)\n",
    "herd_toy.py": "class Herd:\n    def __init__(self, cows=3):\n        raise ValueError(f'{cows} cows')\n",
}

SETTINGS = 3
ENVIRONMENT = 4
FOLDER = 5
NETWORK = 6

T = ("train", "--out", "OUT")

TABLE: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    # -- the command line
    "a command misspelt": (("trian",), 2, ("'trian'", "did you mean train", "--help")),
    "no such option": ((*T, "--actor-count", "3"), 2, ("--actor-count",)),
    "a count in words": ((*T, "--actors", "many"), 2, ("--actors", "'many' is not a whole number")),
    "no actors": ((*T, "--actors", "0"), 2, ("--actors", "0 is not at least 1")),
    "a fraction of a day": (("certs", "OUT", "--days", "1.5"), 2, ("--days", "'1.5' is not a whole number")),
    "a time in words": (("status", "h:1", "--timeout", "soon"), 2, ("--timeout", "'soon' is not a number of seconds")),
    "a time that is over": (("health", "h:1", "--timeout", "-1"), 2, ("--timeout", "more than 0")),
    "for ever": (("status", "h:1", "--timeout", "inf"), 2, ("cannot be waited",)),
    "a seed below nothing": (("evaluate", "OUT", "--seed", "-1"), 2, ("--seed", "-1 is less than 0")),
    "a task in words": (("replay", "OUT", "--update", "last", "--task", "0"), 2, ("--update", "not a whole number")),
    "a film that is no GIF": (("evaluate", "OUT", "--gif", "x.mp4"), 2, ("'x.mp4' does not end in .gif",)),
    "a study that there is not": (("study", "sharng"), 2, ("'sharng'", "did you mean sharing")),
    # -- addresses
    "no port to listen at": ((*T, "--listen", "127.0.0.1"), 2, ("--listen", "has no port", "HOST:PORT", "50051")),
    "no port to call": (("actor", "--learner", "127.0.0.1"), 2, ("--learner", "has no port")),
    "no port to ask": (("status", "127.0.0.1"), 2, ("has no port",)),
    "no port of whose health": (("health", "localhost"), NETWORK, ("'localhost' has no port",)),
    "a port that there is not": ((*T, "--listen", "127.0.0.1:99999"), 2, ("99999", "ports 0 to 65535")),
    "a port in words": (("actor", "--learner", "localhost:abc"), 2, ("'abc'", "a whole number from 1 to 65535")),
    "a port below nothing": ((*T, "--listen", "127.0.0.1:-1"), 2, ("'-1'",)),
    "a call to any port": (("status", "127.0.0.1:0"), 2, ("ports 1 to 65535",)),
    "a call to nobody": (("status", ":50051"), 2, ("has no host",)),
    "an address without brackets": ((*T, "--listen", "::1:50051"), 2, ("brackets", "[::1]:50051")),
    "a metrics port that there is not": ((*T, "--metrics-port", "99999"), 2, ("--metrics-port", "99999", "65535")),
    "a health port in words": ((*T, "--health-port", "x"), 2, ("--health-port", "'x'")),
    "a metrics port in use": ((*T, "--metrics-port", "USED"), NETWORK, ("metrics", "USED", "--metrics-port")),
    "a health port in use": ((*T, "--health-port", "USED"), NETWORK, ("health checks", "USED", "--health-port")),
    "an address in use": ((*T, "--listen", "127.0.0.1:USED"), NETWORK, ("actors", "127.0.0.1:USED", "--listen")),
    "a host that is elsewhere": ((*T, "--metrics-port", "0", "--metrics-host", "192.0.2.1", "--insecure"), NETWORK,
                                 ("metrics", "192.0.2.1", "--metrics-host")),
    "nobody answers": (("status", "127.0.0.1:FREE", "--timeout", "0.2"), NETWORK,
                       ("no answer from 127.0.0.1:FREE within 0.2 s", "does a learner run there")),
    "nobody is well": (("health", "127.0.0.1:FREE", "--timeout", "0.2"), NETWORK, ("does a learner run there",)),
    "clear text beyond this machine": ((*T, "--listen", "0.0.0.0:0"), SETTINGS, ("beyond this machine", "--insecure")),
    # -- settings
    "a setting misspelt": ((*T, "--set", "loss.entrpy=1"), SETTINGS, ("the nearest is loss.entropy",)),
    "a setting of another library": ((*T, "--set", "lr=fast"), SETTINGS, ("there is optimiser.learning_rate",)),
    "a setting without its section": ((*T, "--set", "entropy=1"), SETTINGS, ("there is loss.entropy",)),
    "nothing like a setting": ((*T, "--set", "colour=red"), SETTINGS, ("unknown setting colour", "chorus settings")),
    "nothing like it in a section": ((*T, "--set", "loss.colour=red"), SETTINGS, ("loss has discount, baseline",)),
    "a setting that was": ((*T, "--config", "old.yaml"), SETTINGS,
                           ("learner.hidden", "network.lstm", "old.yaml, line 2")),
    "a rate in words": ((*T, "--set", "optimiser.learning_rate=fast"), SETTINGS,
                        ("is 'fast'", "a number or a schedule", "got text", "--set optimiser.learning_rate=fast")),
    "a rate in words in a file": ((*T, "--config", "words.yaml"), SETTINGS, ("is 'fast'", "words.yaml, line 3")),
    "updates in words": ((*T, "--updates", "many"), SETTINGS, ("updates is 'many'", "(--updates many)")),
    "a device that is none": ((*T, "--device", "gpu"), SETTINGS, ("'gpu'", "cpu, cuda or cuda:1", "(--device gpu)")),
    "a device that is not here": ((*T, "--device", "cuda:99"), SETTINGS, ("'cuda:99'", "use cpu")),
    "a choice that is none": ((*T, "--set", "loss.baseline=critic"), SETTINGS, ("none, leave_one_out, value",)),
    "a schedule with an unknown field": ((*T, "--config", "field.yaml"), SETTINGS,
                                         ("'finish'", "fields are kind, start", "field.yaml, line 2")),
    "an assignment without value": ((*T, "--set", "seed"), SETTINGS, ("'seed'", "key=value")),
    "a value that is no YAML": ((*T, "--set", "loss=[1"), SETTINGS, ("--set 'loss=[1'", "not a YAML value")),
    "one episode against itself": ((*T, "--set", "loss.baseline=leave_one_out", "--set", "task.episodes=1"), SETTINGS,
                                   ("loss.baseline", "raise task.episodes", "--set task.episodes=1")),
    "an empty spec by the setting": ((*T, "--set", "environment.spec="), SETTINGS, ("environment.spec is None",)),
    "a section that there is not": (("settings", "lss"), SETTINGS, ("lss", "there is loss")),
    # -- files of settings
    "a key twice": ((*T, "--config", "twice.yaml"), SETTINGS, ("'seed' is given twice", "lines 1 and 4")),
    "a key twice in a section": ((*T, "--config", "twice_inside.yaml"), SETTINGS, ("'entropy'", "lines 2 and 3")),
    "a key twice in a value": ((*T, "--set", "loss={entropy: 1, entropy: 2}"), SETTINGS, ("'entropy' is given twice",)),
    "tabs": ((*T, "--config", "tabs.yaml"), SETTINGS, ("tabs.yaml", "line 2", "a tab", "spaces")),
    "a dotted key": ((*T, "--config", "dotted.yaml"), SETTINGS,
                     ("'loss.entropy' is written as one key", "`loss:`", "dotted.yaml, line 1")),
    "a list of settings": ((*T, "--config", "list.yaml"), SETTINGS, ("expected `key: value` lines",)),
    "a file that is not YAML": ((*T, "--config", "broken.yaml"), SETTINGS, ("broken.yaml", "line 2")),
    "a file that is not UTF-8": ((*T, "--config", "latin.yaml"), SETTINGS, ("latin.yaml", "UTF-8")),
    "no such file": ((*T, "--config", "sprad"), SETTINGS, ("--config sprad", "nearest included one is spread")),
    "a folder for a file": ((*T, "--config", "."), SETTINGS, (".: Is a directory",)),
    # -- environments
    "no environment": ((*T, "--env", ""), ENVIRONMENT, ("the name is missing", "spread?agents=3")),
    "a folder to spill to that there is not": ((*T, "--set", "learner.spill=/no/such"), SETTINGS,
                                               ("learner.spill is '/no/such'", "No such file", "leave it out")),
    "an environment misspelt": ((*T, "--env", "sprad"), ENVIRONMENT, ("did you mean 'spread'",)),
    "a number for an environment": ((*T, "--env", "3"), ENVIRONMENT, ("'3'",)),
    "a name of Gymnasium's": ((*T, "--env", "CartPole-v1"), ENVIRONMENT, ("write gymnasium:CartPole-v1",)),
    "a name of PettingZoo's": ((*T, "--env", "simple_spread_v3"), ENVIRONMENT,
                               ("write pettingzoo:mpe2.simple_spread_v3",)),
    "the old place of MPE": ((*T, "--env", "pettingzoo:mpe.simple_spread_v3?N=3"), ENVIRONMENT,
                             ("write pettingzoo:mpe2.simple_spread_v3?N=3",)),
    "the old registry of MPE": ((*T, "--env", "pettingzoo:mpe/simple_tag_v3"), ENVIRONMENT,
                                ("write pettingzoo:mpe2.simple_tag_v3",)),
    "a file for a module": ((*T, "--env", "herd_toy.py:Herd"), ENVIRONMENT, ("write herd_toy:Herd",)),
    "a path for a module": ((*T, "--env", "./toys/herd.py:Herd"), ENVIRONMENT, ("write toys.herd:Herd",)),
    "a module that is not there": ((*T, "--env", "no_such_herd:Herd"), ENVIRONMENT, ("no module 'no_such_herd'",)),
    "a module that fails": ((*T, "--env", "sits:Herd"), ENVIRONMENT, ("RuntimeError: no chair (sits.py, line 1)",)),
    "a module with a slip": ((*T, "--env", "wordy:Herd"), ENVIRONMENT, ("SyntaxError", "(wordy.py, line 1)")),
    "a module that needs another": ((*T, "--env", "needy:Herd"), ENVIRONMENT,
                                    ("a_package_that_there_is_not", "(needy.py, line 1)")),
    "a module that leaves": ((*T, "--env", "leaves:Herd"), ENVIRONMENT, ("SystemExit: 3 (leaves.py, line 2)",)),
    "an environment that fails": ((*T, "--env", "herd_toy:Herd?cows=5"), ENVIRONMENT,
                                  ("ValueError: 5 cows (herd_toy.py, line 3)",)),
    "an environment that takes no such thing": ((*T, "--env", "herd_toy:Herd?cow=5"), ENVIRONMENT,
                                                ("did you mean 'cows'",)),
    # -- sizes
    "more episodes than memory": ((*T, "--set", "task.episodes=99000000"), SETTINGS, ("GiB", "task.episodes 99000000")),
    "more tasks than memory": ((*T, "--set", "update.tasks=100000"), SETTINGS, ("GiB", "update.tasks 100000")),
    "more weights than memory": ((*T, "--set", "network.lstm=100000"), SETTINGS, ("GiB", "network.lstm 100000")),
    # -- runs
    "weights of nowhere": ((*T, "--init-from", "nowhere"), SETTINGS, ("--init-from nowhere", "is it a run folder")),
    "weights that are not given": ((*T, "--config", "begun.yaml"), SETTINGS,
                                   ("initial_weights", "8c5f0a6e", "--init-from RUN")),
    "an evaluation of nowhere": (("evaluate", "nowhere"), FOLDER, ("nowhere", "is it a run folder")),
    "a replay of nowhere": (("replay", "nowhere", "--update", "0", "--task", "0"), FOLDER, ("is it a run folder",)),
    "a comparison of nowhere": (("diff", "nowhere", "nowhere"), FOLDER, ("is nowhere a run folder",)),
    "going on with nowhere": (("resume", "nowhere"), FOLDER, ("nowhere", "is it a run folder")),
    "a folder that cannot be made": (("train", "--out", "tabs.yaml/run"), 8, ("Not a directory", "tabs.yaml")),
    # -- security
    "a certificate without key": ((*T, "--tls-cert", "tabs.yaml"), SETTINGS, ("--tls-key",)),
    "an authority that is not there": (("status", "h:1", "--tls-ca", "no.pem"), SETTINGS, ("--tls-ca", "no.pem")),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with the files above; this process's log, modules and import path stay as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(logs, "start", lambda to=None: None)
    monkeypatch.setattr("chorus.learner.process.memory", lambda: 2**33)
    for name in ("CHORUS_TOKEN", "CHORUS_TOKEN_FILE", "CHORUS_TLS_CA", "CHORUS_TLS_CERT", "CHORUS_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else str(content).encode())
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.fixture
def used() -> Iterator[int]:
    """A port of this machine that somebody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def free() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("mistake", TABLE)
def test_a_mistake_is_answered(
    mistake: str, place: Path, used: int, free: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, code, words = TABLE[mistake]

    def real(word: str) -> str:
        return word.replace("OUT", "runs/one").replace("USED", str(used)).replace("FREE", str(free))

    try:
        ended = main([real(argument) for argument in arguments])
    except SystemExit as usage:
        ended = int(str(usage.code))
    said = capsys.readouterr().err
    assert ended == code, said
    for word in words:
        assert real(word) in said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 3, "a sentence, and where help is"
    assert said.startswith(f"chorus {arguments[0]}: ") or code == 2


def test_every_exit_code_of_a_mistake_is_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    table = dict(re.findall(r"^\| (\d+) \| (.*) \|$", document, re.MULTILINE))
    assert table == {str(code): meaning for code, meaning in CODES.items()}
    assert {code for _, code, _ in TABLE.values()} <= CODES.keys()
