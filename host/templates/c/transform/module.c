// CT_{{NAME}}_V0: a key that follows from a text. A pure transform: no imports, so the same inputs always give the same outputs.
#define ENACT_TRANSFORM
#include "enact.h"
#include "json.h"

// Letters and digits of ASCII in lower case; whatever lies between them becomes one dash.
static text key_of(text name) {
    char *key = take(name.size);
    size_t size = 0;
    bool gap = false;
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.at[i];
        if (byte >= 'A' && byte <= 'Z') byte += 'a' - 'A';
        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')) {
            if (gap && size > 0) key[size++] = '-';
            key[size++] = byte;
            gap = false;
        } else {
            gap = true;
        }
    }
    return (text){key, size};
}

static outcome transform(text capability, text inputs) {
    if (!same(capability, TEXT("CT_{{NAME}}_V0"))) return ends(TEXT("BACKEND_ERROR"));
    text key = key_of(json_string(json_member(inputs, TEXT("text"))));
    if (key.size == 0) return ends(TEXT("VIOLATION"));
    return (outcome){TEXT("SUCCESS"), JOIN(TEXT("{\"key\":"), json_quote(key), TEXT("}"))};
}
