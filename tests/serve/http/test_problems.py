"""From an error to a status, its headers and a body that clients can read."""

import json

import pytest

from engine import errors
from serve.http.problems import problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput("is not a time", "timestamp"), 400, "invalid_input"),
        (errors.Unauthorised("a key is needed"), 401, "unauthorised"),
        (errors.Forbidden("this needs a server key"), 403, "forbidden"),
        (errors.NotFound("there is no such profile"), 404, "not_found"),
        (errors.RequestIdUsed("has been used", "requestId"), 422, "request_id_used"),
        (errors.TooLarge("has 5 MB"), 413, "too_large"),
        (errors.CatalogError(("a.yaml:1: x: y",)), 422, "invalid_catalog"),
        (errors.Overloaded(2001), 429, "overloaded"),
        (errors.NotReady("a shard is not up"), 503, "not_ready"),
        (errors.Moved("p7"), 503, "moved"),
        (errors.Corrupt("record 7 of ada@example.com"), 500, "error"),
        (errors.UsageError("ada@example.com"), 500, "error"),
        (errors.Refused("ada@example.com"), 500, "error"),
        (KeyError("ada@example.com"), 500, "error"),
        (AssertionError(), 500, "error"),
    ],
)
def test_every_error_is_a_problem_with_code_and_message(error, status, code):
    got, headers, body = problem(error)
    told = json.loads(body)
    assert (got, told["status"], told["code"]) == (status, status, code)
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    assert {"type", "title", "detail", "message"} <= told.keys() and told["message"]
    assert "ada@example.com" not in body.decode()


def test_the_field_at_fault_is_named():
    _, _, body = problem(errors.InvalidInput("is not a time", "timestamp"))
    assert (json.loads(body)["field"], json.loads(body)["message"]) == ("timestamp", "timestamp: is not a time")
    assert "field" not in json.loads(problem(errors.Unauthorised("a key is needed"))[2])
    assert json.loads(problem(errors.InvalidInput("x", "\ud800"))[2])["field"] == "?"


def test_a_catalog_error_carries_every_problem():
    problems = ["a.yaml:1: x: is missing", "b.yaml:2: y: is too much"]
    assert json.loads(problem(errors.CatalogError(tuple(problems)))[2])["problems"] == problems


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.Overloaded(0), b"1"),
        (errors.Overloaded(1), b"1"),
        (errors.Overloaded(1000), b"1"),
        (errors.Overloaded(1001), b"2"),
        (errors.NotReady("x"), b"1"),
    ],
)
def test_who_may_come_back_is_told_when_in_whole_seconds(error, seconds):
    assert dict(problem(error)[1])[b"retry-after"] == seconds


def test_only_a_missing_key_is_challenged():
    assert dict(problem(errors.Unauthorised("x"))[1])[b"www-authenticate"].startswith(b"Basic")
    assert b"www-authenticate" not in dict(problem(errors.Forbidden("x"))[1])
