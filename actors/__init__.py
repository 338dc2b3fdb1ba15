"""Shells around the engine: shards, router, dispatcher, storage, channels. Plain classes; `cluster` wraps them for
Ray."""
