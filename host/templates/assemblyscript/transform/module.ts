// CT_{{NAME}}_V0: a key that follows from a text. A pure transform: no imports, so the same inputs always give the same outputs.
import { answer, text } from "../src/abi";
import { member, quote, unquote } from "../src/json";

export { cabi_realloc } from "../src/abi";

/** Letters and digits of ASCII in lower case; whatever lies between them becomes one dash. */
function keyOf(name: string): string {
  let key = "";
  let gap = false;
  for (let at = 0; at < name.length; at++) {
    let unit = name.charCodeAt(at);
    if (unit >= 0x41 && unit <= 0x5a) unit += 0x20;
    if ((unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39)) {
      if (gap && key.length > 0) key += "-";
      key += String.fromCharCode(unit);
      gap = false;
    } else {
      gap = true;
    }
  }
  return key;
}

export function run(capability: usize, capabilitySize: usize, inputs: usize, inputsSize: usize): usize {
  if (text(capability, capabilitySize) != "CT_{{NAME}}_V0") return answer("BACKEND_ERROR", "{}");
  const name = unquote(member(text(inputs, inputsSize), "text"));
  const key = name === null ? "" : keyOf(name);
  return key.length == 0 ? answer("VIOLATION", "{}") : answer("SUCCESS", '{"key":' + quote(key) + "}");
}
