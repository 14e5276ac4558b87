// Members and strings of JSON text. The host sends canonical JSON (RFC 8785), so nothing is validated here: values that are only
// passed on stay the text that they were, with every digit.

/** The text of a member's value, or null when `object` is no object or has no such member. */
export function member(object: string, name: string): string | null {
  if (object.charCodeAt(0) != 0x7b /* { */) return null;
  let at = 1;
  while (object.charCodeAt(at) == 0x22 /* " */) {
    const colon = end(object, at);
    const close = end(object, colon + 1);
    if (unquote(object.substring(at, colon)) == name) return object.substring(colon + 1, close);
    at = close + 1;
  }
  return null;
}

/** The string that JSON text stands for, or null when it is no string. */
export function unquote(value: string | null): string | null {
  if (value === null || value.charCodeAt(0) != 0x22) return null;
  let result = "";
  let from = 1;
  const last = value.length - 1;
  for (let at = 1; at < last; at++) {
    if (value.charCodeAt(at) != 0x5c /* \ */) continue;
    result += value.substring(from, at);
    const escape = value.charCodeAt(++at);
    if (escape == 0x75 /* u */) {
      result += String.fromCharCode(<i32>parseInt(value.substring(at + 1, at + 5), 16));
      at += 4;
    } else {
      const control = "bfnrt".indexOf(String.fromCharCode(escape));
      result += control < 0 ? String.fromCharCode(escape) : "\b\f\n\r\t".charAt(control);
    }
    from = at + 1;
  }
  return result + value.substring(from, last);
}

/** JSON text for a string. */
export function quote(value: string): string {
  let result = '"';
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit == 0x22 || unit == 0x5c) result += "\\" + String.fromCharCode(unit);
    else if (unit < 0x20) result += "\\u00" + (unit < 0x10 ? "0" : "") + unit.toString(16);
    else result += String.fromCharCode(unit);
  }
  return result + '"';
}

/** Where the value that begins at `at` ends. */
function end(text: string, at: i32): i32 {
  let depth = 0;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit == 0x22) {
      while (text.charCodeAt(++at) != 0x22) if (text.charCodeAt(at) == 0x5c) at++;
      if (depth == 0) return at + 1;
    } else if (unit == 0x7b || unit == 0x5b) {
      depth++;
    } else if (unit == 0x7d || unit == 0x5d) {
      if (depth <= 1) return depth == 0 ? at : at + 1;
      depth--;
    } else if (unit == 0x2c && depth == 0) {
      return at;
    }
  }
  return at;
}
