// CS_{{NAME}}_V0: keys that can be taken once. A side effect: it sees the one store that the binding gives its step, and every call
// of the host is recorded with its answer.
#define ENACT_SIDE_EFFECT
#include "enact.h"
#include "json.h"

static outcome value_with(text status, text value) {
    return (outcome){status, JOIN(TEXT("{\"value\":"), value, TEXT("}"))};
}

// `{ key, value }`: takes the key; when it is taken, answers the value that it stands for.
static outcome register_key(const call *call, text key) {
    text value = json_member(call->inputs, TEXT("value"));
    if (value.at == NULL) return ends(TEXT("VIOLATION"));
    text refused = NONE;
    text existing = registry_register(call->store, key, value, &refused);
    if (refused.at != NULL) return ends(refused);
    return existing.at == NULL ? ends(TEXT("SUCCESS")) : value_with(TEXT("ALREADY_EXISTS"), existing);
}

// `{ key }`: answers the value that the key stands for.
static outcome lookup(const call *call, text key) {
    text refused = NONE;
    text value = registry_lookup(call->store, key, &refused);
    if (refused.at != NULL) return ends(refused);
    return value.at == NULL ? ends(TEXT("NOT_FOUND")) : value_with(TEXT("SUCCESS"), value);
}

static outcome side_effect(const call *call) {
    if (!same(call->capability, TEXT("CS_{{NAME}}_V0"))) return ends(TEXT("BACKEND_ERROR"));
    text key = json_string(json_member(call->inputs, TEXT("key")));
    if (key.size == 0) return ends(TEXT("VIOLATION"));
    if (same(call->operation, TEXT("REGISTER"))) return register_key(call, key);
    if (same(call->operation, TEXT("LOOKUP"))) return lookup(call, key);
    return ends(TEXT("BACKEND_ERROR"));
}
