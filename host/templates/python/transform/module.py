"""CT_{{NAME}}_V0: a key that follows from a text. A pure transform: no imports, so the same inputs always give the same outputs."""

import json
import re

from wit_world import exports
from wit_world.exports.transform import Call, Outcome


class Transform(exports.Transform):
    def run(self, call: Call) -> Outcome:
        status, outputs = answer(call.capability, json.loads(call.inputs))
        return Outcome(status, json.dumps(outputs))


def answer(capability: str, inputs: dict) -> tuple[str, dict]:
    if capability != "CT_{{NAME}}_V0":
        return "BACKEND_ERROR", {}
    text = inputs.get("text")
    key = key_of(text) if isinstance(text, str) else ""
    return ("SUCCESS", {"key": key}) if key else ("VIOLATION", {})


def key_of(text: str) -> str:
    """Letters and digits of ASCII in lower case; whatever lies between them becomes one dash."""
    return "-".join(re.findall("[A-Za-z0-9]+", text)).lower()
