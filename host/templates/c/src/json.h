// Members and strings of JSON text. The host sends canonical JSON (RFC 8785), so nothing is validated here: values that are only
// passed on stay the text that they were, with every digit.
#ifndef JSON_H
#define JSON_H
#include "enact.h"

// Where the value that begins at `at` ends.
static size_t json_end(text json, size_t at) {
    for (size_t depth = 0; at < json.size; at++) {
        switch (json.at[at]) {
        case '"':
            while (++at < json.size && json.at[at] != '"') at += json.at[at] == '\\';
            if (depth == 0) return at + 1;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth <= 1) return depth == 0 ? at : at + 1;
            depth--;
            break;
        case ',':
            if (depth == 0) return at;
            break;
        default:
            break;
        }
    }
    return json.size;
}

static uint32_t json_unit(const char *at) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) unit = unit << 4 | (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
    return unit;
}

static char *json_utf8(char *to, uint32_t point) {
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    *to++ = (char)((0xf00 >> more & 0xff) | point >> 6 * more);
    while (more-- > 0) *to++ = (char)(0x80 | (point >> 6 * more & 0x3f));
    return to;
}

// The string that JSON text stands for, or NONE when it is no string.
static text json_string(text value) {
    if (value.size < 2 || value.at[0] != '"') return NONE;
    char *start = take(value.size), *to = start;
    const char *at = value.at + 1, *end = value.at + value.size - 1;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        at += 2;
        switch (at[-1]) {
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': {
            uint32_t point = json_unit(at);
            at += 4;
            if (point >= 0xd800 && point < 0xdc00) {
                point = 0x10000 + ((point - 0xd800) << 10) + (json_unit(at + 2) - 0xdc00);
                at += 6;
            }
            to = json_utf8(to, point);
            break;
        }
        default: *to++ = at[-1]; break;
        }
    }
    return (text){start, (size_t)(to - start)};
}

// The text of a member's value, or NONE when `object` is no object or has no such member.
static text json_member(text object, text name) {
    if (object.size == 0 || object.at[0] != '{') return NONE;
    for (size_t at = 1; at < object.size && object.at[at] == '"';) {
        size_t colon = json_end(object, at), end = json_end(object, colon + 1);
        if (same(json_string((text){object.at + at, colon - at}), name)) return (text){object.at + colon + 1, end - colon - 1};
        at = end + 1;
    }
    return NONE;
}

// JSON text for a string.
static inline text json_quote(text string) {
    static const char HEX[] = "0123456789abcdef";
    char *start = take(6 * string.size + 2), *to = start;
    *to++ = '"';
    for (size_t i = 0; i < string.size; i++) {
        unsigned char byte = (unsigned char)string.at[i];
        if (byte == '"' || byte == '\\') *to++ = '\\';
        if (byte >= 0x20) {
            *to++ = (char)byte;
            continue;
        }
        to = memcpy(to, "\\u00", 4);
        to += 4;
        *to++ = HEX[byte >> 4];
        *to++ = HEX[byte & 15];
    }
    *to++ = '"';
    return (text){start, (size_t)(to - start)};
}
#endif
