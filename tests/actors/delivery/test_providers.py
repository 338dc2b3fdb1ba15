"""A provider is named in four places; where one is forgotten, a catalog could be taken that nobody can send."""

from __future__ import annotations

from typing import get_args

import pytest

from actors.delivery.channels import ADAPTERS, open_adapters
from engine.catalog.compiled import Channel
from engine.catalog.schema import channels as schema
from engine.errors import UsageError

ASKED = "none"  # of a channel that shows what it is given and is never sent to


@pytest.mark.parametrize("provider", get_args(schema.Provider))
def test_every_provider_has_settings_a_content_and_an_adapter(provider: str):
    models = [get_args(each)[0] for each in get_args(get_args(schema.Channel)[0])]
    declared = {name for model in models for name in get_args(model.model_fields["provider"].annotation)}
    assert provider in declared, f"engine/catalog/schema/channels.py has no model of the settings of {provider}"
    assert provider in schema.CONTENT, f"engine/catalog/schema/channels.py does not say what {provider} sends"
    assert provider == ASKED or provider in ADAPTERS, f"actors/delivery/channels has no adapter for {provider}"


def test_no_adapter_is_for_a_provider_that_no_catalog_can_name():
    assert set(ADAPTERS) <= set(get_args(schema.Provider)) - {ASKED}


def test_a_channel_that_is_only_asked_gets_no_adapter_and_a_wrong_setting_is_named():
    web = Channel("web", ASKED, "", {})
    mail = Channel("email", "smtp", "email", {"sender": "ada@shop.example, bob@shop.example"})
    assert open_adapters({"web": web}, {}) == {}
    with pytest.raises(UsageError) as refused:
        open_adapters({"email": mail}, {})
    assert refused.value.field == "sender"
