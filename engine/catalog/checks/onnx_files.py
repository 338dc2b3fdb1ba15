"""Checks models in ONNX before anybody decides by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.catalog.document import Document, in_folder
from engine.catalog.problems import Problem
from engine.catalog.schema.models import PropensityModel
from engine.propensity.models import OnnxMissing, open_onnx


def model_file_problems(document: Document, file: str) -> Iterator[Problem]:
    """The faults of a file beside the models: no model names it, or it does not hold bytes."""
    if not isinstance(document[file], bytes):
        yield Problem(file, ("file",), "should be the bytes of a model")
    named = [data.get("onnx") for data in in_folder(document, "models").values()]
    if not any(isinstance(onnx, dict) and onnx.get("file") == file.removeprefix("models/") for onnx in named):
        yield Problem(file, ("file",), "no model names it")


def onnx_problems(document: Document, file: str, model: PropensityModel, unread: Collection[str]) -> Iterator[Problem]:
    """The faults of a model's file: it is missing, cannot be run, or takes another number of features."""
    if model.onnx is None:
        return
    home = f"models/{model.onnx.file}"
    found = document.get(home)
    if not isinstance(found, bytes):
        if home not in unread:
            yield Problem(file, ("onnx", "file"), f"there is no file {home}")
        return
    try:
        _, _, width = open_onnx(found)
    except OnnxMissing:
        yield Problem(file, ("onnx",), "onnxruntime is not installed: pip install 'segue[onnx]'")
    except ValueError as error:
        yield Problem(file, ("onnx", "file"), f"{home} cannot be run: {error}")
    else:
        if width is not None and width != len(model.onnx.features):
            message = f"{home} takes {width} features, and {len(model.onnx.features)} are declared"
            yield Problem(file, ("onnx", "features"), message)
