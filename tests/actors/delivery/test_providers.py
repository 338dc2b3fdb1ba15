"""A provider is named in four places; where one is forgotten, a catalog could be taken that nobody can send."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from actors.delivery.channels import ADAPTERS, open_adapters
from actors.transport.messages.carried import Outcome
from engine.catalog.compiled import Channel
from engine.catalog.schema import channels as schema
from engine.errors import UsageError
from engine.vocabulary import FINAL_STATES, Accepted

ASKED = "none"  # of a channel that shows what it is given and is never sent to


@pytest.mark.parametrize("provider", get_args(schema.Provider))
def test_every_provider_has_settings_a_content_and_an_adapter(provider: str):
    models = [get_args(each)[0] for each in get_args(get_args(schema.Channel)[0])]
    declared = {name for model in models for name in get_args(model.model_fields["provider"].annotation)}
    assert provider in declared, f"engine/catalog/schema/channels.py has no model of the settings of {provider}"
    assert provider in schema.CONTENT, f"engine/catalog/schema/channels.py does not say what {provider} sends"
    assert provider == ASKED or provider in ADAPTERS, f"actors/delivery/channels has no adapter for {provider}"


def test_no_adapter_is_for_a_provider_that_no_catalog_can_name():
    of_steps = {"webhook"}  # of journeys, which no channel of a file names
    assert set(ADAPTERS) - of_steps <= set(get_args(schema.Provider)) - {ASKED}


def test_a_channel_that_is_only_asked_gets_no_adapter_and_a_wrong_setting_is_named():
    web = Channel("web", ASKED, "", {})
    mail = Channel("email", "smtp", "email", {"sender": "ada@shop.example, bob@shop.example"})
    assert open_adapters({"web": web}, {}) == {}
    with pytest.raises(UsageError) as refused:
        open_adapters({"email": mail}, {})
    assert refused.value.field == "sender"


@pytest.mark.parametrize("provider", ADAPTERS)
def test_an_adapter_says_of_what_was_taken_a_word_that_ends_a_send(provider: str):
    channel = Channel("any", provider, "email", {"sender": "ada@shop.example", "host": "127.0.0.1"})
    adapter = open_adapters({"any": channel}, {})["any"]
    assert adapter.accepted in get_args(Accepted)
    assert set(get_args(Accepted)) <= FINAL_STATES


def test_no_other_word_about_a_send_travels():
    odd = msgspec.msgpack.encode(["ada", "a send", "delivered", "", b""])
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(odd, type=Outcome)
