// CS_APPENDONLY_JSONL_V0, operation APPEND: a record with its time, actor and stream at the end of a log.
import { answer, text } from "../src/abi";
import { clockNow, logAppend } from "../src/journal";
import { member } from "../src/json";

export { cabi_realloc } from "../src/abi";

function given(value: string | null): string {
  return value === null ? "null" : value;
}

export function run(
  capability: usize, capabilitySize: usize, operation: usize, operationSize: usize, inputs: usize, inputsSize: usize,
  store: usize, storeSize: usize, idempotencyKey: usize, idempotencyKeySize: usize,
): usize {
  if (text(capability, capabilitySize) != "CS_APPENDONLY_JSONL_V0") return answer("BACKEND_ERROR", "{}");
  if (text(operation, operationSize) != "APPEND") return answer("BACKEND_ERROR", "{}");
  const object = text(inputs, inputsSize);
  const record = member(object, "record");
  if (record === null || !record.startsWith("{")) return answer("VIOLATION", "{}");
  const time = clockNow();
  if (time === null) return answer("BACKEND_ERROR", "{}");
  const stored = '{"timestamp":"' + time + '","actor_id":' + given(member(object, "actor_id")) + ',"stream_id":' +
    given(member(object, "stream_id")) + ',"record":' + record + "}";
  return logAppend(text(store, storeSize), stored) ? answer("SUCCESS", "{}") : answer("BACKEND_ERROR", "{}");
}
