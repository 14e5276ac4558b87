// CS_{{NAME}}_V0: keys that can be taken once. A side effect: it sees the one store that the binding gives its step, and every call
// of the host is recorded with its answer.
import { lookup, register } from "enact:capability/registry@0.1.0";

const operations = {
  /** Takes the key; when it is taken, answers the value that it stands for. */
  REGISTER(store, { key, value }) {
    if (value === undefined) return ["VIOLATION", {}];
    const existing = register(store, key, JSON.stringify(value));
    return existing === undefined ? ["SUCCESS", {}] : ["ALREADY_EXISTS", { value: JSON.parse(existing) }];
  },

  /** Answers the value that the key stands for. */
  LOOKUP(store, { key }) {
    const value = lookup(store, key);
    return value === undefined ? ["NOT_FOUND", {}] : ["SUCCESS", { value: JSON.parse(value) }];
  },
};

function answer(call) {
  if (call.capability !== "CS_{{NAME}}_V0" || !Object.hasOwn(operations, call.operation)) return ["BACKEND_ERROR", {}];
  const inputs = JSON.parse(call.inputs);
  if (typeof inputs.key !== "string" || inputs.key === "") return ["VIOLATION", {}];
  try {
    return operations[call.operation](call.store, inputs);
  } catch (error) {
    // What the host refuses is thrown with the error of the WIT as its payload; anything else is a mistake in here, and traps.
    if (error?.payload?.tag === undefined) throw error;
    return [error.payload.tag === "invalid" ? "VIOLATION" : "BACKEND_ERROR", {}];
  }
}

export const sideEffect = {
  run(call) {
    const [status, outputs] = answer(call);
    return { status, outputs: JSON.stringify(outputs) };
  },
};
