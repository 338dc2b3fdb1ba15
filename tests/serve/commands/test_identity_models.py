"""`segue identity train` and `evaluate`: from CSV files to a model and its figures, and clear words on bad files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.world import World, document
from typer.testing import CliRunner, Result

from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine.errors import UsageError
from engine.matching import model as models
from loadtest.world import doubles
from serve.cli import app

pytest.importorskip("splink")
FEBRL = Path(__file__).resolve().parents[4] / "shared" / "data" / "febrl"
HEADER = "rec_id,given_name,surname,date_of_birth\n"


def ran(*words: object) -> Result:
    return CliRunner().invoke(app, ["identity", *map(str, words)])


def f1(done: Result) -> float:
    """The F1 that the command prints first: of the pairs that are joined."""
    assert done.exit_code == 0, done.output
    return float(re.search(r"joined at .* F1 (\d\.\d+)", done.output)[1])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    doubles.write(folder, *doubles.records(5, 400, doubles.PROFILES["usual"]))
    return folder


@pytest.mark.slow
def test_a_model_is_learnt_judged_and_drawn(people: Path, tmp_path: Path):
    model, plot = tmp_path / "m.json", tmp_path / "plot.svg"
    done = ran("train", "--records", people / "records.csv", "--out", model)
    assert done.exit_code == 0 and "learnt: given_name, surname, birth" in done.output, done.output
    assert models.read(model.read_bytes()).records == len((people / "records.csv").read_text("utf-8").splitlines()) - 1
    given = ("--records", people / "records.csv", "--truth", people / "truth.csv")
    done = ran("evaluate", *given, "--model", model, "--plot", plot, "--at", 0.9)
    assert f1(done) > 0.85, done.output
    assert "expected calibration error 0.0" in done.output, done.output
    assert plot.read_text("utf-8").startswith("<svg") and "<circle" in plot.read_text("utf-8")


@pytest.mark.slow
def test_the_same_records_give_the_same_model(people: Path, tmp_path: Path):
    for name in ("a.json", "b.json"):
        assert ran("train", "--records", people / "records.csv", "--out", tmp_path / name).exit_code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.slow
def test_the_name_of_a_record_changes_nothing(people: Path, tmp_path: Path):
    lines = (people / "records.csv").read_text("utf-8").splitlines()
    other = [lines[0], *(re.sub(r"^r\d+", "same-for-all", line) for line in lines[1:])]
    (tmp_path / "other.csv").write_text("\n".join(other))
    for records, out in ((people / "records.csv", "a.json"), (tmp_path / "other.csv", "b.json")):
        assert ran("train", "--records", records, "--out", tmp_path / out, "--no-values").exit_code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert models.read((tmp_path / "a.json").read_bytes()).terms == {}


@pytest.mark.slow
def test_profiles_of_a_stopped_engine_teach_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data, key = tmp_path / "data", bytes(range(32))
    data.mkdir()
    (data / "engine.json").write_text(json.dumps({"format": 2, "shards": 1, "clock": "wall", "vault_base": 0}))
    vault = FileVault(data / "vault", key, 0)
    world = World(document(), stores=[RocksStore(data / "shard-000")], vaults=[vault])
    rows, _ = doubles.records(5, 90, doubles.PROFILES["usual"])
    for number, row in enumerate(rows):
        traits = {"firstName": row["given_name"], "lastName": row["surname"], "birthday": row["birthday"]}
        world.customer(f"u{number}").identifies(**traits, address={"city": row["city"], "street": row["address_1"]})
    world.engine.windows[0].shard.close()
    vault.close()
    monkeypatch.setenv("SEGUE_ENGINE_KEY", key.hex())
    done = ran("train", "--data", data, "--out", tmp_path / "m.json")
    assert done.exit_code == 0, done.output
    assert "learnt: given_name, surname, birth, street, place" in done.output
    assert models.read((tmp_path / "m.json").read_bytes()).records == len(rows)


def test_training_needs_one_place_to_learn_from(tmp_path: Path):
    done = ran("train", "--out", tmp_path / "m.json")
    assert "needs either CSV files (--records) or a data directory (--data)" in str(done.exception)


@pytest.mark.slow
@pytest.mark.skipif(not FEBRL.exists(), reason="the public records of Febrl are not on this machine")
@pytest.mark.parametrize(
    ("name", "without"), [("febrl1", ()), ("febrl1", ("soc_sec_id",)), ("febrl3", ("soc_sec_id",))]
)
def test_public_records_are_matched_without_their_truth(name: str, without: tuple[str, ...]):
    left_out = [word for column in without for word in ("--without", column)]
    files = ("--records", FEBRL / name / "records.csv", "--truth", FEBRL / name / "truth.csv")
    assert f1(ran("evaluate", *files, *left_out)) >= 0.99


@pytest.mark.parametrize(
    ("records", "truth", "message"),
    [
        (b"", b"", "records.csv:1: is empty; the first line must name the columns"),
        (HEADER.encode() + b"1,Ada\n", b"", "records.csv:2: has 2 values for 4 columns: column 'surname' is missing"),
        (HEADER.encode() + b"1,Ada,King,18151210,x\n", b"", "records.csv:2: has 5 values for 4 columns: there is more"),
        (HEADER.encode() + b'1,"Ada,King,18151210\n', b"", "records.csv:2: is no CSV"),
        (HEADER.encode() + b"1,Ada,King,18151210\n2,Z\xff,King,1\n", b"", "records.csv:3: is not UTF-8"),
        (b"rec_id,surname,surname\n", b"", "records.csv:1: has two columns 'surname'"),
        (b"rec_id,shoe size\n1,38\n", b"", "records.csv:1: no column feeds a comparison"),
        (b"given_name\nAda\n", b"a,b\n", "--records: the records need an id"),
        (HEADER.encode() + b"1,A,B,\n1,A,C,\n", b"a,b\n", "--records: two records are called '1'"),
        (HEADER.encode() + b"1,A,B,\n", b"", "truth.csv:1: is empty"),
        (HEADER.encode() + b"1,A,B,\n", b"one\n1\n", "truth.csv:1: needs two columns"),
        (HEADER.encode() + b"1,A,B,\n", b"one,two\n\n1,7\n", "truth.csv:3: column 'two': no record is called '7'"),
        (HEADER.encode() + b"1,A,B,\n", b"one,two\n1,1\n", "truth.csv:2: column 'two': a record is paired with itself"),
    ],
)
def test_a_bad_file_is_named_with_line_and_column(tmp_path: Path, records: bytes, truth: bytes, message: str):
    (tmp_path / "records.csv").write_bytes(records)
    (tmp_path / "truth.csv").write_bytes(truth)
    done = ran("evaluate", "--records", tmp_path / "records.csv", "--truth", tmp_path / "truth.csv")
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception).replace(f"{tmp_path}/", "")


def test_a_column_to_leave_out_must_be_there(tmp_path: Path):
    (tmp_path / "records.csv").write_text(HEADER)
    done = ran("train", "--records", tmp_path / "records.csv", "--without", "shoes", "--out", tmp_path / "m.json")
    assert str(done.exception).endswith("records.csv:1: there is no column 'shoes' to leave out")


def test_a_file_is_not_written_to_where_there_is_no_directory(tmp_path: Path):
    (tmp_path / "records.csv").write_text(HEADER)
    done = ran("train", "--records", tmp_path / "records.csv", "--out", tmp_path / "models" / "m.json")
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == f"--out: there is no directory {tmp_path / 'models'}"


def test_the_id_of_a_record_is_found_in_capital_letters(tmp_path: Path):
    (tmp_path / "records.csv").write_text(HEADER.replace("rec_id", "ID") + "1,A,B,\n")
    (tmp_path / "truth.csv").write_text("one,two\n1,1\n")
    done = ran("evaluate", "--records", tmp_path / "records.csv", "--truth", tmp_path / "truth.csv")
    assert "a record is paired with itself" in str(done.exception)


def test_a_catalog_names_the_columns_of_the_records(tmp_path: Path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "identity.yaml").write_text("matching:\n  fields: {surname: [Naam]}\n")
    (tmp_path / "records.csv").write_text("id,Naam\n1,King\n")
    given = ("--records", tmp_path / "records.csv", "--config", tmp_path / "configs")
    done = ran("train", *given, "--out", tmp_path / "m.json")
    assert "there are 1 records; at least 100 are needed" in str(done.exception)
