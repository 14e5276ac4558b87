// CS_{{NAME}}_V0: keys that can be taken once. A side effect: it sees the one store that the binding gives its step, and every call
// of the host is recorded with its answer.
import { answer, text } from "../src/abi";
import { registryLookup, registryRegister } from "../src/host";
import { member, unquote } from "../src/json";

export { cabi_realloc } from "../src/abi";

/** `{ key, value }`: takes the key; when it is taken, answers the value that it stands for. */
function register(store: string, key: string, value: string | null): usize {
  if (value === null) return answer("VIOLATION", "{}");
  const asked = registryRegister(store, key, value);
  const refused = asked.refused, existing = asked.value;
  if (refused !== null) return answer(refused, "{}");
  return existing === null ? answer("SUCCESS", "{}") : answer("ALREADY_EXISTS", '{"value":' + existing + "}");
}

/** `{ key }`: answers the value that the key stands for. */
function lookup(store: string, key: string): usize {
  const asked = registryLookup(store, key);
  const refused = asked.refused, value = asked.value;
  if (refused !== null) return answer(refused, "{}");
  return value === null ? answer("NOT_FOUND", "{}") : answer("SUCCESS", '{"value":' + value + "}");
}

export function run(
  capability: usize, capabilitySize: usize, operation: usize, operationSize: usize, inputs: usize, inputsSize: usize,
  store: usize, storeSize: usize, idempotencyKey: usize, idempotencyKeySize: usize,
): usize {
  if (text(capability, capabilitySize) != "CS_{{NAME}}_V0") return answer("BACKEND_ERROR", "{}");
  const given = text(inputs, inputsSize);
  const key = unquote(member(given, "key"));
  if (key === null || key.length == 0) return answer("VIOLATION", "{}");
  const name = text(operation, operationSize);
  if (name == "REGISTER") return register(text(store, storeSize), key, member(given, "value"));
  if (name == "LOOKUP") return lookup(text(store, storeSize), key);
  return answer("BACKEND_ERROR", "{}");
}
