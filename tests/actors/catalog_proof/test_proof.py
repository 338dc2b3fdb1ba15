"""A catalog is proved before it is taken: its channels are built, and every message is written to made-up customers."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from types import CodeType

import pytest
from support.marketing import CART, CHANNELS, FILES, OFFER, TEMPLATE, TEXT, said
from typer.testing import CliRunner

from actors.catalog_files import config_files
from actors.catalog_proof import own_process, proof
from actors.catalog_proof.letters import TakesTooLong
from actors.delivery.channels.adapter import Message
from actors.delivery.channels.sandbox import SandboxAdapter
from engine.catalog.compile import compile_bytes, compile_document
from engine.catalog.document import canonical
from engine.errors import CatalogError
from engine.texts.language import TemplateLanguage
from serve.cli import app

SHIPPED = Path(__file__).parents[3] / "configs"
ENDLESS = (
    "{% for i in range(999) %}{% for j in range(999) %}{% for k in range(999) %}{% endfor %}{% endfor %}{% endfor %}"
)
TURNS_WITHIN = "{{ 'x' | center(10 ** 9) }}"
MAIL = "{{ unsubscribe_url }}"


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def refused(files: dict[str, str]) -> list[str]:
    with pytest.raises(CatalogError) as error:
        proof.of_texts(files, {})
    return list(error.value.problems)


@pytest.mark.parametrize(
    ("condition", "customer"),
    [
        ("true", "a customer of whom nothing is known"),
        ("event.total", "a typical customer"),
        ("event.total is string", "a hostile customer (texts are very long)"),
        (
            "event.total is iterable and event.total is not string",
            "a hostile customer (lists of odd things everywhere)",
        ),
        ("event.products[0].price is string", "a hostile customer (texts are very long)"),
        ("traits.first_name | length > 500", "a hostile customer (texts are very long)"),
    ],
)
def test_a_template_that_fails_is_named_with_its_line_and_the_customer(condition: str, customer: str) -> None:
    template = f"<p>{{{{ event.total | money }}}}\n\n{{% if {condition} %}}{ENDLESS}{{% endif %}}{MAIL}"
    assert refused(FILES | {TEMPLATE: template}) == [
        f"templates/offer.html:3: template: cannot be written to {customer}: does more than a message may"
    ]


def test_a_text_that_fails_is_named_in_the_file_of_its_action() -> None:
    endless = FILES[TEXT].replace("Your cart waits", ENDLESS)
    assert refused(FILES | {TEXT: endless}) == [
        "actions/text.yaml:7: variants[1].sms: cannot be written to a customer of whom nothing is known: "
        "content: does more than a message may"
    ]


def test_a_channel_is_proved_with_an_address_of_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[Message] = []
    monkeypatch.setattr(SandboxAdapter, "prove", lambda self, message: proved.append(message))
    proof.of_texts(FILES, {})
    assert {(message.channel, message.address) for message in proved} == {("sms", "+4915112345678")}


def test_every_variant_is_written_and_each_fault_is_told_once() -> None:
    second = FILES[OFFER] + '  - id: b\n    email: {subject: "Two", template: b.html}\n    web: {content: {title: T}}\n'
    files = FILES | {OFFER: second, "templates/b.html": ENDLESS + MAIL}
    assert [line.partition(": cannot")[0] for line in refused(files)] == ["templates/b.html:1: template"]
    both = second.replace("offer.html", "b.html")
    assert len(refused(files | {OFFER: both})) == 1


def test_what_the_environment_says_of_a_channel_is_checked_too() -> None:
    channels = FILES[CHANNELS].replace("host: 127.0.0.1", "host: 127.0.0.1\n    port_env: MAIL_PORT")
    documents = config_files.read_texts(FILES | {CHANNELS: channels})
    assert proof.prove(documents, {}).warnings == () and proof.prove(documents, {"MAIL_PORT": "2525"})
    with pytest.raises(CatalogError) as error:
        proof.prove(documents, {"MAIL_PORT": "smtp"})
    assert error.value.problems == ("channels.yaml:7: channels[2].port_env: the port of the SMTP server is none: smtp",)


def test_a_variable_that_is_not_set_is_a_warning_where_nothing_stands_beside_it() -> None:
    channels = FILES[CHANNELS].replace("host: 127.0.0.1", "host_env: MAIL_HOST\n    password_env: MAIL_PASSWORD")
    documents = config_files.read_texts(FILES | {CHANNELS: channels})
    assert proof.prove(documents, {}).warnings == (
        "channels.yaml:6: channels[2].host_env: MAIL_HOST is not set here: where the engine runs it must be, or host "
        "must be written",
    )
    assert proof.prove(documents, {"MAIL_HOST": "mail.shop.example"}).warnings == ()


def test_a_document_that_was_taken_by_an_earlier_version_stays_readable() -> None:
    document = config_files.read_texts(FILES).data
    document["channels.yaml"]["channels"][2]["adress"] = "phone"
    document["actions/text.yaml"]["variants"][0]["sms"] = {"txt": "Hello"}
    with pytest.raises(CatalogError):
        compile_document(document)
    catalog = compile_bytes(canonical(document))
    assert catalog.channels["sms"].settings == {} and catalog.actions["text"].variants[0].content["sms"]


# In a process of its own


def test_a_process_of_its_own_proves_with_the_same_outcome(tmp_path: Path) -> None:
    misspelt = FILES | {CART: FILES[CART].replace("Product Added}\nkey", "Produkt Added}\nkey")}
    there, here = own_process.prove_texts(misspelt), proof.of_texts(misspelt, {})
    assert (there.catalog.version, there.warnings) == (here.catalog.version, here.warnings) and here.warnings
    directory = write(tmp_path, FILES)
    assert own_process.prove_directory(directory, {}).catalog.version == proof.of_texts(FILES, {}).catalog.version
    with pytest.raises(CatalogError) as error:
        own_process.prove_texts(FILES | {"policies.yaml": "caps: 3\n"})
    assert error.value.problems == ("policies.yaml:1: caps: should be a list",)


def test_a_message_that_takes_too_long_is_given_up_and_named() -> None:
    documents = config_files.read_texts(FILES)
    names = []

    def bound(name: str) -> AbstractContextManager[None]:
        names.append(name)
        raise TakesTooLong

    with pytest.raises(CatalogError) as error:
        proof.prove(documents, {}, bound)
    assert names[0] == "actions/offer.yaml, variant a on email"
    assert error.value.problems[0] == (
        "actions/offer.yaml:14: variants[1].email: takes too long to be written to a customer of whom nothing is known"
    )


def test_a_catalog_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_process, "_WALL_S_MAX", 0.01)
    with pytest.raises(CatalogError, match="takes more than"):
        own_process.prove_texts({"policies.yaml": "caps: []"})


def test_what_is_too_much_in_all_is_blamed_on_no_message_that_was_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("CPU_S_MAX", "FILE_S", "WRITTEN_S"):
        monkeypatch.setattr(own_process, limit, 0)
    monkeypatch.setattr(own_process.resource, "setrlimit", lambda *_: None)
    allowance = own_process._Allowance(files=3)
    with pytest.raises(CatalogError) as error:
        proof.prove(config_files.read_texts(FILES), {}, allowance.bound)
    assert error.value.problems == ("catalog:1: size: the whole catalog takes more than 0 s to prove: make it smaller",)


def test_a_larger_catalog_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_process.resource, "setrlimit", lambda *_: None)
    allowance = own_process._Allowance(files=1000)
    assert allowance.seconds == 120
    for _ in range(1000):
        with allowance.bound("actions/a.yaml, variant a on email"):
            pass
    assert allowance.seconds in (139, 140)
    assert own_process._Allowance(files=10**6).seconds == own_process.CPU_S_MOST


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            b"actions/a.yaml, variant a on email\n- 21\nactions/b.yaml, variant a on email\n",
            "actions/b.yaml:1: variants: variant a on email takes more time or memory to write than there is",
        ),
        (
            b"actions/a.yaml, variant a on email\n- 21\nTraceback\n",
            "catalog:1: size: the whole catalog takes more than 21 s to prove: make it smaller",
        ),
        (b"", "catalog:1: size: the whole catalog takes more than 20 s to prove: make it smaller"),
    ],
)
def test_only_a_message_that_was_under_way_is_blamed_for_an_end(said: bytes, problem: str) -> None:
    assert own_process._too_much(said).problems == (problem,)


def test_a_template_is_compiled_once_however_many_variants_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, anew = [], TemplateLanguage.compile_anew

    def counting(self: TemplateLanguage, source: str, name: str | None, filename: str | None) -> CodeType:
        compiled.append((source, name))
        return anew(self, source, name, filename)

    monkeypatch.setattr(TemplateLanguage, "compile_anew", counting)
    source = FILES[TEMPLATE] + "<p>Only here</p>"
    files = FILES | {TEMPLATE: source, "actions/more.yaml": FILES[OFFER].replace("id: offer", "id: more")}
    proof.of_texts(files, {})
    assert [name for text, name in compiled if text == source] == [TEMPLATE.removeprefix("templates/")]


# The shipped catalog, and the command


def test_the_shipped_catalog_is_proved_without_a_warning() -> None:
    assert proof.of_directory(SHIPPED, {}).warnings == ()


def test_hundreds_of_variants_are_proved() -> None:
    many = {
        f"actions/offer{number}.yaml": FILES[OFFER].replace("id: offer", f"id: offer{number}") for number in range(200)
    }
    documents = config_files.read_texts(FILES | many)
    assert len(proof.prove(documents, {}).catalog.actions) == 202


def test_validate_prints_warnings_and_fails_on_them_only_where_it_is_strict(tmp_path: Path) -> None:
    directory = write(tmp_path, FILES | {CART: FILES[CART].replace("Cart Cleared", "product added")})
    told = CliRunner().invoke(app, ["validate", "--config", str(directory)])
    assert told.exit_code == 0 and "3 channels, 2 actions" in told.stdout
    assert told.stderr == (
        "warning: journeys/cart.yaml:6: stops[1].on: no event is known as 'product added', "
        "did you mean 'Product Added'?\n"
    )
    assert CliRunner().invoke(app, ["validate", "--strict", "--config", str(directory)]).exit_code == 1
    clean = write(tmp_path / "clean", FILES)
    assert CliRunner().invoke(app, ["validate", "--strict", "--config", str(clean)]).exit_code == 0


def test_validate_prints_each_problem_on_a_line_and_exits_2(tmp_path: Path) -> None:
    directory = write(tmp_path, FILES | {TEMPLATE: ENDLESS + MAIL, "policies.yaml": "caps: 3\nstops: 4\n"})
    told = CliRunner().invoke(app, ["validate", "--strict", "--config", str(directory)])
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.splitlines() == [
        "policies.yaml:1: caps: should be a list",
        "policies.yaml:2: stops: should be a list",
    ]


def test_json_is_yaml_too(tmp_path: Path) -> None:
    document = config_files.read_texts(FILES).data
    files = {
        name: data if name.startswith("templates/") else json.dumps(data, indent=1) for name, data in document.items()
    }
    assert said(files) == []
