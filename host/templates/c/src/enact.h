// The boundary to the host by the canonical ABI, for one source file per module: strings, memory, exports, imports.
// The build checks every signature against wit/.
#ifndef ENACT_H
#define ENACT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// UTF-8 with a length and no end mark. `at` is NULL where there is no string at all.
typedef struct {
    const char *at;
    size_t size;
} text;

#define TEXT(literal) ((text){(literal), sizeof(literal) - 1})
static const text NONE = {NULL, 0};

// What a call ends with: a status and a JSON object.
typedef struct {
    text status;
    text outputs;
} outcome;

static inline outcome ends(text status) { return (outcome){status, TEXT("{}")}; }

// The compiler calls these by name.
void *memcpy(void *to, const void *from, size_t size) {
    char *t = to;
    for (const char *f = from; size > 0; size--) *t++ = *f++;
    return to;
}

void *memset(void *to, int byte, size_t size) {
    for (char *t = to; size > 0; size--) *t++ = (char)byte;
    return to;
}

static bool same(text a, text b) {
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++) {
        if (a.at[i] != b.at[i]) return false;
    }
    return true;
}

// An instance serves one call, so memory is taken and never given back. Without memory there is nothing to do but trap.
extern unsigned char __heap_base;
static uintptr_t heap_next;

static void *take(size_t size) {
    if (heap_next == 0) heap_next = (uintptr_t)&__heap_base;
    uintptr_t start = (heap_next + 7) & ~(uintptr_t)7;
    if (size > UINT32_MAX - 65535 - start) __builtin_trap();
    heap_next = start + size;
    size_t pages = (heap_next + 65535) >> 16, has = __builtin_wasm_memory_size(0);
    if (pages > has && __builtin_wasm_memory_grow(0, pages - has) == SIZE_MAX) __builtin_trap();
    return (void *)start;
}

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t new_size) {
    if (new_size == 0) return (void *)align;
    void *block = take(new_size);
    return old_size == 0 ? block : memcpy(block, old, old_size < new_size ? old_size : new_size);
}

// Several texts after one another.
static text join(const text *parts, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) size += parts[i].size;
    char *to = take(size), *next = to;
    for (size_t i = 0; i < count; i++) next = (char *)memcpy(next, parts[i].at, parts[i].size) + parts[i].size;
    return (text){to, size};
}
#define JOIN(...) join((const text[]){__VA_ARGS__}, sizeof((const text[]){__VA_ARGS__}) / sizeof(text))

// ---- what a module is: define one of these two functions ----

#ifdef ENACT_TRANSFORM
static outcome transform(text capability, text inputs);

__attribute__((export_name("enact:capability/transform@0.1.0#run"))) const outcome *enact_run(
    const char *capability, size_t capability_size, const char *inputs, size_t inputs_size) {
    static outcome done;
    done = transform((text){capability, capability_size}, (text){inputs, inputs_size});
    return &done;
}
#endif

#ifdef ENACT_SIDE_EFFECT
typedef struct {
    text capability, operation, inputs, store, idempotency_key;
} call;
static outcome side_effect(const call *call);

__attribute__((export_name("enact:capability/side-effect@0.1.0#run"))) const outcome *enact_run(
    const char *capability, size_t capability_size, const char *operation, size_t operation_size, const char *inputs, size_t inputs_size,
    const char *store, size_t store_size, const char *key, size_t key_size) {
    static outcome done;
    const call asked = {{capability, capability_size}, {operation, operation_size}, {inputs, inputs_size}, {store, store_size}, {key, key_size}};
    done = side_effect(&asked);
    return &done;
}

// ---- what it may ask: only what is called becomes an import, and only what the binding grants is answered. wit/ has the others. ----

#define IMPORT(interface, name) __attribute__((import_module("enact:capability/" interface "@0.1.0"), import_name(name)))

// `result<option<string>, error>`, as the host writes it.
typedef struct {
    uint8_t is_error;
    uint8_t some_or_error __attribute__((aligned(4)));
    const char *at;
    size_t size;
} answer;

IMPORT("registry", "register")
void import_register(const char *store, size_t store_size, const char *key, size_t key_size, const char *value, size_t value_size, answer *to);
IMPORT("registry", "lookup")
void import_lookup(const char *store, size_t store_size, const char *key, size_t key_size, answer *to);

// The value, or NONE. When the host refused, `refused` is the status to end with: `invalid` is the caller's fault, the rest is not.
static text answered(const answer *answer, text *refused) {
    if (answer->is_error) {
        *refused = answer->some_or_error == 3 ? TEXT("VIOLATION") : TEXT("BACKEND_ERROR");
        return NONE;
    }
    return answer->some_or_error ? (text){answer->at, answer->size} : NONE;
}

// Takes a key, or answers the value of whoever has it.
static inline text registry_register(text store, text key, text value, text *refused) {
    answer to;
    import_register(store.at, store.size, key.at, key.size, value.at, value.size, &to);
    return answered(&to, refused);
}

// The value of a key.
static inline text registry_lookup(text store, text key, text *refused) {
    answer to;
    import_lookup(store.at, store.size, key.at, key.size, &to);
    return answered(&to, refused);
}
#endif
#endif
