// CT_{{NAME}}_V0: a key that follows from a text. A pure transform: no imports, so the same inputs always give the same outputs.

/** Letters and digits of ASCII in lower case; whatever lies between them becomes one dash. */
function keyOf(text) {
  return (text.match(/[A-Za-z0-9]+/g) ?? []).join("-").toLowerCase();
}

function answer(capability, inputs) {
  if (capability !== "CT_{{NAME}}_V0") return ["BACKEND_ERROR", {}];
  const key = typeof inputs.text === "string" ? keyOf(inputs.text) : "";
  return key === "" ? ["VIOLATION", {}] : ["SUCCESS", { key }];
}

export const transform = {
  run(call) {
    const [status, outputs] = answer(call.capability, JSON.parse(call.inputs));
    return { status, outputs: JSON.stringify(outputs) };
  },
};
