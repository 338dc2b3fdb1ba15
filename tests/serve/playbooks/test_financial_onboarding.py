"""The playbook `financial_onboarding`: in-app, e-mail, SMS for high value; completion ends it; four touches in all."""

from __future__ import annotations

import pytest
from support.playbooks import PlaybookWorld
from support.world import Customer

APP, MAIL, TEXT = ("in_app", "onboarding_in_app"), ("email", "onboarding_letter"), ("sms", "onboarding_text")


@pytest.fixture
def bank() -> PlaybookWorld:
    return PlaybookWorld("financial_onboarding")


def opens(bank: PlaybookWorld, name: str = "ada", balance: int = 900, account: str = "a-1") -> Customer:
    who = bank.somebody(name, channels=("email", "sms"), purpose="onboarding")
    who.identifies(balance=balance)
    who.does("Account Opened", account_id=account, product="savings account")
    bank.settle()
    return who


def test_the_app_says_it_at_once_an_email_after_a_day_and_a_text_for_high_value_two_days_later(bank: PlaybookWorld):
    opens(bank, balance=10_000)
    assert bank.reached == [APP]
    bank.advance(days=0.99)
    assert bank.reached == [APP]
    bank.advance(days=0.02)
    assert bank.reached == [APP, MAIL]
    bank.advance(days=2)
    assert bank.reached == [APP, MAIL, TEXT]


def test_nobody_else_gets_a_text(bank: PlaybookWorld):
    opens(bank, balance=9_999)
    bank.advance(days=14)
    assert bank.reached == [APP, MAIL, MAIL, APP]


def test_four_messages_are_the_most_on_all_channels_together(bank: PlaybookWorld):
    ada = opens(bank, balance=10_000)
    bank.advance(days=20)
    assert bank.reached == [APP, MAIL, TEXT, MAIL]
    assert ada.outcomes("held") == [("onboarding_in_app", "journey.touches")]


@pytest.mark.parametrize("days, before", [(0.5, 1), (2, 2), (4, 3), (7.5, 4)])
def test_completion_ends_it_before_the_next_message(bank: PlaybookWorld, days: float, before: int):
    ada = opens(bank, balance=10_000)
    bank.advance(days=days)
    ada.does("Onboarding Completed", account_id="a-1")
    bank.advance(days=14)
    assert len(bank.reached) == before
    assert ada.run("onboarding").ended_by == "stop.done"


def test_completing_one_account_leaves_the_other_one_going(bank: PlaybookWorld):
    ada = opens(bank)
    ada.does("Account Opened", account_id="a-2", product="depot")
    ada.does("Onboarding Completed", account_id="a-1")
    bank.advance(days=1.1)
    assert bank.reached == [APP, APP, MAIL]


def test_whoever_is_at_it_is_left_alone(bank: PlaybookWorld):
    ada = opens(bank)
    bank.advance(hours=20)
    ada.does("Onboarding Step Completed", account_id="a-1", step="identity")
    bank.advance(hours=23)
    assert bank.reached == [APP]
    bank.advance(hours=2)
    assert bank.reached == [APP, MAIL]


def test_without_consent_only_the_app_speaks(bank: PlaybookWorld):
    ada = bank.customer("ada@bank.example")
    ada.does("Account Opened", account_id="a-1")
    bank.advance(days=14)
    assert set(bank.reached) == {APP}


def test_who_is_held_out_hears_of_it_in_the_app_alone():
    bank = PlaybookWorld("financial_onboarding", holdout=1.0)
    opens(bank, balance=10_000)
    bank.advance(days=14)
    assert set(bank.reached) == {APP}
