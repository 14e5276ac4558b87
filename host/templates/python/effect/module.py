"""CS_{{NAME}}_V0: keys that can be taken once. A side effect: it sees the one store that the binding gives its step, and every call of
the host is recorded with its answer."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.side_effect import Call, Outcome
from wit_world.imports import registry
from wit_world.imports.fault import Error_Invalid


class SideEffect(exports.SideEffect):
    def run(self, call: Call) -> Outcome:
        try:
            status, outputs = answer(call)
        except Err as refused:
            # What the host calls invalid is the fault of who called, the rest is not.
            status, outputs = "VIOLATION" if isinstance(refused.value, Error_Invalid) else "BACKEND_ERROR", {}
        return Outcome(status, json.dumps(outputs))


def answer(call: Call) -> tuple[str, dict]:
    if call.capability != "CS_{{NAME}}_V0":
        return "BACKEND_ERROR", {}
    inputs = json.loads(call.inputs)
    key = inputs.get("key")
    if not isinstance(key, str) or not key:
        return "VIOLATION", {}
    if call.operation == "REGISTER":
        return register(call.store, key, inputs)
    if call.operation == "LOOKUP":
        return lookup(call.store, key)
    return "BACKEND_ERROR", {}


def register(store: str, key: str, inputs: dict) -> tuple[str, dict]:
    """Takes the key; when it is taken, answers the value that it stands for."""
    if "value" not in inputs:
        return "VIOLATION", {}
    existing = registry.register(store, key, json.dumps(inputs["value"], ensure_ascii=False, separators=(",", ":")))
    return ("SUCCESS", {}) if existing is None else ("ALREADY_EXISTS", {"value": json.loads(existing)})


def lookup(store: str, key: str) -> tuple[str, dict]:
    """Answers the value that the key stands for."""
    value = registry.lookup(store, key)
    return ("NOT_FOUND", {}) if value is None else ("SUCCESS", {"value": json.loads(value)})
