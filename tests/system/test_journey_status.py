"""A running campaign is paused and stopped by command; that stands when everything is killed and when files change."""

from __future__ import annotations

from pathlib import Path

from support.running import Engine, eventually, eventually_equal, run_segue, write_catalog

FILES = {
    "channels.yaml": "channels: [{id: push, provider: sandbox}]\n",
    "consent.yaml": "purposes: {service: {no_consent_needed: [push]}}\n",
    "actions/letter.yaml": """
id: letter
tier: lifecycle
purpose: service
channels: [push]
variants: [{id: a, push: {text: A letter}}]
""",
    "journeys/way.yaml": """
id: way
tier: lifecycle
trigger: {event: Product Added}
re_entry: {concurrent: 9}
steps:
  - wait_for: {event: Go, timeout: 1d}
  - send: {action: letter, channel: push}
""",
}


def journey(engine: Engine, *words: str) -> str:
    """The command, against a running engine."""
    answer = run_segue("journey", *words, "--url", engine.url, environment={"SEGUE_SERVER_KEY": "sk-of-these-tests"})
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def run_of(engine: Engine, user: str) -> dict[str, str]:
    (run,) = engine.profile("user_id", user)["journeys"]
    return dict(run)


def edit(engine: Engine, value: int) -> None:
    """A file of the directory changes, not what it says of statuses."""
    file = engine.config / "actions/letter.yaml"
    file.write_text(f"{FILES['actions/letter.yaml']}value: {value}\n", "utf-8")


def test_a_campaign_is_paused_and_stopped_while_it_runs(tmp_path: Path):
    engine = Engine(tmp_path, config=write_catalog(tmp_path / "configs", FILES))
    try:
        engine.start()
        for user in ("ada", "bob"):
            engine.track("Product Added", userId=user)
        assert journey(engine, "pause", "way").startswith("way is paused")
        engine.track("Go", userId="ada")
        engine.kill()
        edit(engine, 3)
        (engine.data / "catalog").unlink()  # a shard still knows what was said
        engine.start()
        eventually(lambda: "way is paused, by command" in engine.log.read_text("utf-8"))
        assert journey(engine, "list").split()[-4:] == ["way", "paused", "live", "paused"]
        assert (run_of(engine, "ada")["waitsFor"], engine.sends("ada")) == ("journey.paused", [])
        assert journey(engine, "resume", "way").startswith("way is live")
        eventually_equal(lambda: engine.sends("ada"), [("simulated", "")])

        assert journey(engine, "stop", "way").startswith("way is stopped")
        run = run_of(engine, "bob")
        assert (run["state"], run["endedBy"]) == ("stopped", "journey.stopped"), "at once, though nothing reached him"
        before = engine.status()["catalogVersion"]
        edit(engine, 4)
        eventually_equal(lambda: engine.status()["catalogVersion"] != before, True)
        engine.track("Go", userId="bob")
        assert run_of(engine, "bob")["endedBy"] == "journey.stopped" and engine.sends("bob") == []
        told = [(entry["kind"], entry.get("reason")) for entry in engine.timeline("user_id", "bob")]
        assert ("stop", "journey.stopped") in told
        engine.stop()
        verified = run_segue("verify", "--data", engine.data, "--replay")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        engine.close()
