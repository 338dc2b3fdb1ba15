"""The directory of the catalog that a command works with: the one that is named, else `configs` in the current folder,
else the one that comes with Segue."""

from __future__ import annotations

from pathlib import Path

HERE = "configs"
# Package data, so that an installed Segue has them too; the shipped catalog is that of the template `shop`.
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
SHIPPED = TEMPLATES / "shop" / HERE


def which(config: Path | None) -> Path:
    """That directory as an absolute path; it need not exist."""
    here = Path(HERE)
    return (config or (here if here.is_dir() else SHIPPED)).resolve()


def line(directory: Path, version: str) -> str:
    """The line with which every command says which catalog it uses."""
    return f"configs: {directory}, version {version}"
