// CT_PURE_GENERATE_ID_V0: `<prefix>_` and the first 16 hex digits of SHA-256 over the canonical JSON of `data` if that is an object, or of
// `{"value": data}` if it is anything else.
#define ENACT_TRANSFORM
#include "enact.h"
#include "json.h"

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void block(uint32_t state[8], const unsigned char *at) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++, at += 4) w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3, b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25), a = turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22);
        uint32_t one = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + ROUND[i] + w[i];
        uint32_t two = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

// The first eight bytes of the digest in hexadecimal.
static text digest(text data) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    size_t size = (data.size + 8) / 64 * 64 + 64;
    unsigned char *padded = take(size);
    memcpy(padded, data.at, data.size);
    memset(padded + data.size, 0, size - data.size);
    padded[data.size] = 0x80;
    uint64_t bits = (uint64_t)data.size * 8;
    for (int i = 0; i < 8; i++) padded[size - 1 - (size_t)i] = (unsigned char)(bits >> 8 * i);
    for (size_t at = 0; at < size; at += 64) block(state, padded + at);
    char *hex = take(16);
    for (int i = 0; i < 16; i++) hex[i] = "0123456789abcdef"[state[i / 8] >> (28 - i % 8 * 4) & 15];
    return (text){hex, 16};
}

static outcome transform(text capability, text inputs) {
    if (!same(capability, TEXT("CT_PURE_GENERATE_ID_V0"))) return ends(TEXT("BACKEND_ERROR"));
    text prefix = json_string(json_member(inputs, TEXT("prefix"))), data = json_member(inputs, TEXT("data"));
    if (prefix.at == NULL || data.at == NULL) return ends(TEXT("VIOLATION"));
    text hashed = data.at[0] == '{' ? data : JOIN(TEXT("{\"value\":"), data, TEXT("}"));
    text id = JOIN(prefix, TEXT("_"), digest(hashed));
    return (outcome){TEXT("SUCCESS"), JOIN(TEXT("{\"id\":"), json_quote(id), TEXT("}"))};
}
