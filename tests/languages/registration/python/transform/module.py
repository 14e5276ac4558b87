"""CT_PURE_PASSTHROUGH_V0: the value that it was given."""

import json

from wit_world import exports
from wit_world.exports.transform import Call, Outcome


class Transform(exports.Transform):
    def run(self, call: Call) -> Outcome:
        if call.capability != "CT_PURE_PASSTHROUGH_V0":
            return Outcome("BACKEND_ERROR", "{}")
        given = json.loads(call.inputs)
        if "value" not in given:
            return Outcome("VIOLATION", "{}")
        return Outcome("SUCCESS", json.dumps({"value": given["value"]}))
