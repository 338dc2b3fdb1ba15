"""The rules that keep the core pure and the rooms apart, as tests. Each failure names the file and what it did."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from engine import errors
from engine.errors import SegueError

ROOT = Path(__file__).resolve().parent.parent
OURS = ("engine", "actors", "serve", "loadtest")

# What could make one turn differ from the next, or reach out of the process.
# fmt: off
IMPURE = {
    "asyncio", "concurrent", "ctypes", "fcntl", "ftplib", "getpass", "glob", "http", "logging", "mmap",
    "multiprocessing", "os", "pathlib", "random", "secrets", "select", "selectors", "shelve", "shutil", "signal",
    "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "uuid",
}
PURE_LIBRARIES = {
    "babel", "cronsim", "email_validator", "holidays", "idna", "jellyfish", "jinja2", "jsonschema_rs", "lz4", "msgpack",
    "msgspec", "numpy", "onnxruntime", "phonenumbers", "pydantic", "pydantic_core", "rapidfuzz",
}
# fmt: on
# Who may import what of ours, room by room: `engine/`, the room itself, those that are named, and what those may
# import. A module in the table is a room of its own. The rooms of the engine stand in `tests/engine/test_rooms.py`.
# fmt: off
ROOMS: dict[str, set[str]] = {
    "engine": set(),
    "actors/platform": set(),
    "actors/matching": set(),
    "actors/storage": {"actors/platform"},
    "actors/transport": {"actors/platform"},
    "actors/catalog_files": {"actors/platform"},
    "actors/shard": {"actors/storage", "actors/transport", "actors/catalog_files"},
    "actors/replay_clock": {"actors/shard"},
    "actors/serving": {"actors/replay_clock"},
    "actors/maintenance": {"actors/shard"},
    "actors/delivery": {"actors/transport", "actors/catalog_files"},
    "actors/candidates": {"actors/shard"},
    "actors/catalog_proof": {"actors/catalog_files", "actors/delivery/channels", "actors/replay_clock"},
    "actors/cluster": {
        "actors/candidates",
        "actors/serving",
        "actors/maintenance",
        "actors/delivery",
        "actors/catalog_proof",
    },
    "serve/simulation": {
        "actors/delivery/channels",
        "actors/catalog_files",
        "actors/maintenance",
        "actors/replay_clock",
        "serve/ingest",
    },
    "serve/demo": {"actors/catalog_files", "actors/replay_clock"},
    "serve/playbooks": {"actors/catalog_files", "actors/catalog_proof", "serve/process/which_catalog.py"},
    "serve/http": {"actors/catalog_files", "actors/transport"},
    "serve/api": {"serve/http"},
    "serve/ingest": {"serve/http", "actors/shard"},
    "serve/routes": {"serve/api", "serve/ingest", "actors/catalog_proof", "actors/candidates"},
    "serve/openapi": {"serve/routes"},
    "serve/process/which_catalog.py": set(),
    "serve/process/settings.py": {"serve/process/which_catalog.py", "actors/platform"},
    "serve/application": {"serve/openapi", "serve/process/settings.py", "actors/cluster"},
    "serve/process": {"serve/application"},
    "serve/commands/screen.py": set(),
    "serve/commands": {
        "actors/matching", "serve/process", "serve/demo", "serve/simulation", "serve/playbooks",
        "serve/commands/screen.py", "loadtest",
    },
    "serve/cli.py": {"serve/commands"},
    "serve/__main__.py": {"serve/cli.py"},
    "loadtest/world": set(),
    "loadtest/processes": {"actors/platform"},
    "loadtest/locust": {"loadtest/world", "loadtest/processes"},
    "loadtest/locustfile.py": {"loadtest/locust"},
    "loadtest/peers": {"loadtest/world"},
    "loadtest/bench": {"loadtest/peers", "loadtest/processes", "actors/cluster"},
    "loadtest/chaos": {"loadtest/processes"},
    "loadtest/sweeps": {
        "loadtest/chaos", "loadtest/locust", "actors/maintenance", "actors/serving", "serve/commands/screen.py",
    },
    "loadtest": {"loadtest/bench", "loadtest/sweeps"},
}
# fmt: on

LINES_MAX = 300
MEDIAN_LINES_MAX = 120
FOLDER_MODULES_MAX = 15
FUNCTION_LINES_MAX = 60
# How many public functions say nothing of what they mean: those whose meaning a library fixes, as a visitor's. These
# numbers may only fall.
UNDOCUMENTED_MAX = {"engine": 16, "actors": 3, "serve": 0, "loadtest": 0}


def modules(*folders: str) -> list[str]:
    """The modules below some folders, as paths from the root."""
    return sorted(path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py"))


ALL_MODULES = frozenset(modules(*OURS))


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text("utf-8"), module)


def imports(module: str) -> Iterator[str]:
    """Every name that a module imports, wherever in it, with dots: `from ray import serve` is `ray.serve`."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imported_modules(module: str) -> frozenset[str]:
    """The modules of ours that a module imports, wherever in it and for types alone included, as paths."""
    return frozenset(path for name in imports(module) if (path := _module_of(name)) and path != module)


def _module_of(name: str) -> str:
    """Where a name that is imported is defined; empty where that is not in ours. It is a module or stands in one."""
    if name.partition(".")[0] not in OURS:
        return ""
    for dotted in (name, name.rpartition(".")[0]):
        path = dotted.replace(".", "/")
        for found in (f"{path}.py", f"{path}/__init__.py"):
            if found in ALL_MODULES:
                return found
    raise AssertionError(f"there is no {name}")


def room_of(module: str) -> str:
    """The room that a module stands in: the innermost of those in the table."""
    known = [room for room in ROOMS if module == room or module.startswith(f"{room}/")]
    return max(known, key=len, default="")


@cache
def reach_of(room: str) -> frozenset[str]:
    """The rooms that a room may import, and what those may import."""
    named = ROOMS[room]
    return frozenset(named).union(*(reach_of(each) for each in named if each in ROOMS))


def lies_in(module: str, rooms: Iterable[str]) -> bool:
    """Whether a module stands in one of some rooms, or in a part of one."""
    return any(module == room or module.startswith(f"{room}/") for room in rooms)


def roots(module: str) -> set[str]:
    """The packages that a module imports from."""
    return {name.partition(".")[0] for name in imports(module)}


def is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def importers_of(package: str) -> set[str]:
    return {module for module in modules(*OURS) if package in roots(module)}


# -- who may import what


@pytest.mark.parametrize("module", modules("engine"))
def test_the_engine_imports_only_what_is_pure(module: str):
    allowed = (sys.stdlib_module_names - IMPURE) | PURE_LIBRARIES | {"engine"}
    assert roots(module) <= allowed


@pytest.mark.parametrize("module", modules("engine"))
def test_the_engine_opens_and_prints_nothing(module: str):
    called = {node.func.id for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call) and is_name(node.func)}
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


@pytest.mark.parametrize("module", sorted(ALL_MODULES - {f"{package}/__init__.py" for package in OURS}))
def test_a_room_imports_only_what_lies_below_it(module: str):
    room = room_of(module)
    assert room, f"{module} stands in no room of the table: give it one"
    allowed = {"engine", room, *reach_of(room)}
    beyond = [each for each in imported_modules(module) if not lies_in(each, allowed)]
    assert not beyond, f"{room} must not know {beyond}"


def test_the_table_names_rooms_that_exist_and_none_lies_above_itself():
    rooms = set(ROOMS).union(*ROOMS.values())
    assert [room for room in rooms if not (ROOT / room).exists()] == []
    TopologicalSorter(ROOMS).prepare()


def test_no_module_imports_itself_through_others():
    """A circle can only be read as a whole. An import for types alone, or inside a function, is one too."""
    graph = {module: imported_modules(module) for module in ALL_MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_page_of_the_house_says_the_same():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `((?:actors|serve|loadtest)/\w+)/` \|.*\| ([^|]*) \|$", page, re.MULTILINE)
    said = {room: rooms_in(cell, room.partition("/")[0]) for room, cell in rows if cell != "(data)"}
    assert said == {room: {one for one in may if one[-3:] != ".py"} for room, may in ROOMS.items() if room in said}
    assert {room for room in ROOMS if "/" in room and room[-3:] != ".py"} <= set(said)


def rooms_in(cell: str, package: str) -> set[str]:
    """`http; actors: shard, storage` in the row of a room of `serve` as rooms; `–` is none."""
    found = set()
    for part in cell.split("; "):
        of, _, names = part.rpartition(": ")
        found |= {name if name == "loadtest" else f"{of or package}/{name}" for name in names.split(", ")}
    return found - {f"{package}/–"}


def test_pydantic_judges_the_catalog_and_nothing_else_in_the_engine():
    found = importers_of("pydantic") | importers_of("pydantic_core")
    assert {module for module in found if module.startswith("engine/")} <= set(modules("engine/catalog"))


def test_only_the_store_knows_rocksdb():
    assert importers_of("rocksdict") == {"actors/storage/store.py"}


def test_only_the_cluster_and_the_edge_know_ray():
    edge = {
        "actors/cluster/cluster.py",
        "actors/cluster/matching.py",
        "actors/cluster/ray_meter.py",
        "serve/application/ingress.py",
        "serve/process/engine_process.py",
        "serve/process/ingress_replicas.py",
        "serve/process/ray_runtime/head.py",
        "loadtest/peers/no_op.py",
        "loadtest/peers/two_ways.py",
        *modules("serve/commands"),
    }
    assert importers_of("ray") <= edge


def test_the_ingress_uses_ray_serve_alone():
    of_ray = {name for name in imports("serve/application/ingress.py") if name.partition(".")[0] == "ray"}
    assert all(name.startswith("ray.serve") for name in of_ray), of_ray


# -- one door for the clock


WALL_CLOCKS = {"time.time", "time.time_ns", "time.localtime", "time.gmtime"}
WALL_CLOCKS |= {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
# How long something took, which no rule ever sees: for deadlines and rates of processes.
STOP_WATCHES = {"time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns"}
CLOCKS = WALL_CLOCKS | STOP_WATCHES


def clock_readings(module: str) -> set[str]:
    """`time.time`, `datetime.now` …: every mention of something that reads a clock."""
    found = {name for name in imports(module) if name in CLOCKS}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute) and is_name(node.value) and f"{node.value.id}.{node.attr}" in CLOCKS:
            found.add(f"{node.value.id}.{node.attr}")
    return found


@pytest.mark.parametrize("module", modules("engine", "actors", "serve"))
def test_only_one_module_reads_the_clock(module: str):
    allowed = {"actors/platform/clock.py": CLOCKS, "serve/commands": STOP_WATCHES}
    allowed |= {"serve/demo/replayer.py": STOP_WATCHES}
    room = "serve/commands" if module.startswith("serve/commands/") else module
    assert clock_readings(module) <= allowed.get(room, set())


# -- sizes


@pytest.mark.parametrize("module", modules(*OURS))
def test_a_module_can_be_read_in_one_go(module: str):
    lines = len((ROOT / module).read_text("utf-8").splitlines())
    assert lines <= LINES_MAX, f"{module} has {lines} lines, at most {LINES_MAX}: give a part of it a room of its own"


def test_half_of_the_modules_are_short():
    lines = [len((ROOT / module).read_text("utf-8").splitlines()) for module in ALL_MODULES]
    assert statistics.median(count for count in lines if count) <= MEDIAN_LINES_MAX


def test_a_room_can_be_seen_at_a_glance():
    counts = Counter(module.rpartition("/")[0] for module in ALL_MODULES)
    assert {folder: count for folder, count in counts.items() if count > FOLDER_MODULES_MAX} == {}


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, those inside others included."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_function_fits_on_a_screen():
    long = {
        (module, node.name)
        for module in ALL_MODULES
        for node in functions(module)
        if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    }
    assert long == set(), "take a part of it out"


# -- docstrings


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module and the methods of its classes that others may call."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield child


@pytest.mark.parametrize("package", OURS)
def test_public_functions_say_what_they_mean(package: str):
    silent = [
        f"{module}:{node.lineno} {node.name}"
        for module in modules(package)
        for node in public_functions(tree_of(module))
        if not ast.get_docstring(node)
    ]
    assert len(silent) <= UNDOCUMENTED_MAX[package], silent


# -- errors


def error_classes() -> list[type[SegueError]]:
    """The whole tree."""
    return sorted(descendants(SegueError), key=lambda cls: f"{cls.__module__}.{cls.__qualname__}")


@pytest.mark.parametrize("module", modules(*OURS))
def test_every_error_class_stands_where_each_process_knows_it(module: str):
    """One that a shell made would be a fault without a name wherever that shell is not loaded."""
    known = {cls.__name__ for cls in error_classes()} if module != "engine/errors.py" else set()
    classes = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.ClassDef)]
    adds = [node.name for node in classes for base in node.bases if is_name(base) and base.id in known]
    assert not adds, f"{module} makes errors that no other process knows"


def descendants(cls: type[SegueError]) -> set[type[SegueError]]:
    return {cls}.union(*(descendants(child) for child in cls.__subclasses__()))


def sample(cls: type[SegueError]) -> SegueError:
    """An instance with a value of its own for each parameter."""
    values = {"str": "some text", "int": 7, "tuple[str, ...]": ("one", "two")}
    parameters = inspect.signature(cls).parameters.values()
    assert all(each.kind is each.POSITIONAL_OR_KEYWORD for each in parameters), f"{cls.__name__} takes keywords only"
    return cls(*(values[str(each.annotation)] for each in parameters))


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__qualname__)
def test_an_error_survives_the_way_between_processes(cls: type[SegueError]):
    for error in (cls(), sample(cls)):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is cls
        assert (copy.args, str(copy), vars(copy)) == (error.args, str(error), vars(error))


def test_each_kind_of_error_has_a_code_of_its_own():
    codes = [cls.code for cls in descendants(SegueError) if cls.__module__ == errors.__name__]
    assert sorted(codes) == sorted(set(codes))


# -- one way to write a durable file

RENAMES = {"replace", "rename", "renames", "link", "hardlink_to", "symlink_to"}
COPIES = {"copy", "copy2", "copyfile", "copytree", "move"}  # of shutil
SYNCS = {"fsync", "fdatasync", "sync"}
# Who may write or make anything without it, and what: a power cut may take that.
PLAIN = {
    "actors/catalog_files/config_files.py": "a catalog that was posted, in a temporary folder while it is compiled",
    "actors/platform/diary.py": "what happened to an engine, which is no data",
    "actors/platform/pids.py": "which process serves a socket, in the runtime folder",
    "actors/catalog_files/active_catalog.py": "a lock, which is empty",
    "serve/http/auth.py": "a lock, which is empty",
    "serve/commands/bench.py": "figures that can be measured again",
    "serve/commands/dashboard.py": "what can be printed again",
    "serve/commands/init.py": "a workspace that can be made again",
    "serve/commands/playbook.py": "a history that can be made again",
    "serve/playbooks/adding.py": "a workspace as it would be, in a temporary folder while it is proved",
    "serve/commands/simulate.py": "what can be simulated again",
    "serve/simulation/running.py": "what can be simulated again, in a temporary folder",
    "serve/simulation/spool.py": "a history while it is sorted, in a temporary folder",
    "serve/commands/validate.py": "schemas that can be made again",
    "serve/process/data_directory.py": "a lock, which is empty",
    "serve/process/ray_runtime/haproxy.py": "HAProxy's own configuration, in the runtime folder",
    "serve/http/direct_socket.py": "sockets and locks, in the runtime folder",
    "serve/process/ray_runtime/parts.py": "the output of a helper of Ray",
    "serve/process/ray_runtime/sessions.py": "a mark in a session of Ray",
    "serve/process/ray_runtime/surroundings.py": "folders of the runtime folder",
}
IN_PLACE = {
    "actors/storage/key_file.py": {"fdatasync"},
    "actors/storage/key_copies.py": {"fdatasync"},
}  # files that are there already


def plain_writing(module: str) -> set[str]:
    """What a module does to files by itself. `path.replace(target)` has one argument, `text.replace(old, new)` two."""
    called = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)]
    return {name for call in called if (name := _writing(call))}


def _writing(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return "open" if call.func.id == "open" and _is_for_writing(call.args[1:2], call) else ""
    if not isinstance(call.func, ast.Attribute):
        return ""
    name = call.func.attr
    of_shutil = is_name(call.func.value) and call.func.value.id == "shutil"
    is_found = (
        (name in RENAMES and (len(call.args), call.keywords) == (1, []))
        or (name in COPIES and of_shutil)
        or name in {"write_text", "write_bytes", "mkdir", "makedirs", "touch", *SYNCS - {"sync"}}
        or (name == "open" and _is_for_writing(call.args[:1], call))
    )
    return name if is_found else ""


def _is_for_writing(mode: list[ast.expr], call: ast.Call) -> bool:
    given = [*mode, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    words = [node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return any(set(word) & set("wax+") for word in words)


@pytest.mark.parametrize("module", modules("engine", "actors", "serve"))
def test_only_one_module_makes_a_file_or_a_folder_durable(module: str):
    if module != "actors/platform/durable.py" and module not in PLAIN:
        assert plain_writing(module) <= IN_PLACE.get(module, set()), "use actors/platform/durable.py"


def test_whoever_may_write_plainly_does():
    assert {module for module in (*PLAIN, *IN_PLACE) if not plain_writing(module)} == set()


def test_only_the_store_and_one_module_sync():
    syncing = {module for module in modules("actors", "serve") if plain_writing(module) & SYNCS}
    assert syncing == {"actors/platform/durable.py", *IN_PLACE}
