"""What pyproject.toml cannot say: the modules of the wire contract are generated from their .proto files.

`python setup.py build_protos` generates them where they belong (`make protos` calls it when a .proto has changed);
building a wheel or installing does the same first, so that no build can miss them.
"""

from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildProtos(Command):
    description = "generate the modules of protos/**/*.proto beside their sources"
    user_options: list[tuple[str, str | None, str]] = []  # noqa: RUF012 (declared so by setuptools)

    def initialize_options(self) -> None: ...

    def finalize_options(self) -> None: ...

    def run(self) -> None:
        from grpc_tools import protoc

        sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("protos/**/*.proto"))
        if sources and protoc.main(["protoc", f"-I{ROOT}", f"--python_out={ROOT}", f"--pyi_out={ROOT}", *sources]) != 0:
            raise SystemExit("protoc refused " + ", ".join(sources))


class BuildPy(build_py):
    def run(self) -> None:
        self.run_command("build_protos")
        super().run()


setup(cmdclass={"build_protos": BuildProtos, "build_py": BuildPy})
