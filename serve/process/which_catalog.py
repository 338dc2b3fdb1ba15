"""Which directory of a catalog a command means: the one that is named, else `configs` in the current folder where there
is one, else the one that comes with Segue."""

from __future__ import annotations

from pathlib import Path

HERE = "configs"
# Package data, so that an installed Segue has them too; the shipped catalog is that of the template `shop`.
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
SHIPPED = TEMPLATES / "shop" / HERE


def which(config: Path | None) -> Path:
    """The directory that is meant, as an absolute path; it need not be there."""
    here = Path(HERE)
    return (config or (here if here.is_dir() else SHIPPED)).resolve()


def line(directory: Path, version: str) -> str:
    """What every command says of it when it begins."""
    return f"configs: {directory}, version {version}"
