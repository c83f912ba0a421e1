"""What pyproject.toml cannot say: what is made of other files before anything is installed.

`python setup.py build_protos` generates the modules of the wire contract, `build_kernel` compiles the loops of the LSTM
where there is a C compiler; each puts them where they belong (the Makefile calls them when a source has changed).
Building a wheel or installing does both first, so that no build can miss them.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
KERNEL = ROOT / "learner" / "gradient" / "lstm.so"
FLAGS = ("-O2", "-mavx2", "-ffp-contract=off", "-fPIC", "-shared")
"""No product is added to a sum in one rounding: the bits are those of the loops in Python."""
WITHOUT = "the learner's LSTM will run in NumPy, slower, with the same bits"


def compiler() -> str | None:
    """What compiles the kernel here; None where nothing does, or where nobody could run it."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    return shutil.which(os.environ.get("CC") or "cc")


class _Command(Command):
    user_options: list[tuple[str, str | None, str]] = []  # noqa: RUF012 (declared so by setuptools)

    def initialize_options(self) -> None: ...

    def finalize_options(self) -> None: ...


class BuildProtos(_Command):
    description = "generate the modules of protos/**/*.proto beside their sources"

    def run(self) -> None:
        from grpc_tools import protoc

        sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("protos/**/*.proto"))
        if sources and protoc.main(["protoc", f"-I{ROOT}", f"--python_out={ROOT}", f"--pyi_out={ROOT}", *sources]) != 0:
            raise SystemExit("protoc refused " + ", ".join(sources))


class BuildKernel(_Command):
    description = "compile learner/gradient/lstm.c beside it, where there is a C compiler for this x86-64 Linux"

    def run(self) -> None:
        found, made = compiler(), KERNEL.with_suffix(f".{os.getpid()}")
        if found is None:
            print(f"no C compiler for x86-64 Linux here: {WITHOUT}")
        elif subprocess.run([found, *FLAGS, "-o", str(made), str(KERNEL.with_suffix(".c"))]).returncode:
            print(f"{found} does not compile {KERNEL.stem}.c: {WITHOUT}")
        else:
            made.replace(KERNEL)  # at once: another process may be reading the one before


class BuildPy(build_py):
    def run(self) -> None:
        self.run_command("build_protos")
        self.run_command("build_kernel")
        super().run()


class Contents(Distribution):
    def has_ext_modules(self) -> bool:
        """Whether what is installed is for this platform only."""
        return compiler() is not None


class BdistWheel(bdist_wheel):
    """A wheel with a kernel in it is for any Python all the same: the kernel is linked with none."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, tag = super().get_tag()
        return (python, abi, tag) if self.root_is_pure else ("py3", "none", tag)


setup(
    distclass=Contents,
    cmdclass={
        "build_protos": BuildProtos,
        "build_kernel": BuildKernel,
        "build_py": BuildPy,
        "bdist_wheel": BdistWheel,
    },
)
