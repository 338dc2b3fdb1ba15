"""How a wheel is built, beyond what pyproject.toml can say."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildFromNothing(build_py):
    """Setuptools packs all that lies in build/lib, so it would pack modules deleted since the last build."""

    def run(self) -> None:
        """Build into an empty folder."""
        if not self.editable_mode and Path(self.build_lib).parent.name == "build":
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(cmdclass={"build_py": BuildFromNothing})
