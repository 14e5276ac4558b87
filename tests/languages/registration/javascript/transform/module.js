// CT_PURE_PASSTHROUGH_V0: the value that it was given.
export const transform = {
  run({ capability, inputs }) {
    if (capability !== "CT_PURE_PASSTHROUGH_V0") return { status: "BACKEND_ERROR", outputs: "{}" };
    const given = JSON.parse(inputs);
    if (!Object.hasOwn(given, "value")) return { status: "VIOLATION", outputs: "{}" };
    return { status: "SUCCESS", outputs: JSON.stringify({ value: given.value }) };
  },
};
