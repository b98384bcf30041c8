// The peer of `mma bench aot`: the interpreter wasm3, on the same board in the same run. Its sources are fetched when
// the benchmark is built; here is only what it wants of a C library, and a way to call it. Compiled with its
// headers, beside it.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "m3_env.h"

// Set by hal/aot/bench.py.
extern const uint8_t bench_module[];
extern const uint32_t bench_module_bytes, bench_module_memory;
extern const char *const bench_exports[];

uint32_t bench_interpreter(uint32_t number, uint32_t *result);
uint32_t bench_interpreter_memory(void);

#define STACK 2048

// An allocator that never reuses but the last piece: what is counted is what wasm3 asks for.
static union {
    uint8_t bytes[BENCH_HEAP];
    uint64_t aligned;
} heap;
static uint32_t used;

struct piece {
    uint32_t size, unused;
};

static void *take(size_t size) {
    uint32_t whole = (uint32_t)(size + 7) & ~7u;
    if (whole + sizeof(struct piece) > sizeof heap.bytes - used) return 0;
    struct piece *piece = (struct piece *)(heap.bytes + used);
    piece->size = whole;
    used += whole + (uint32_t)sizeof *piece;
    memset(piece + 1, 0, whole);
    return piece + 1;
}

void *malloc(size_t size) {
    return take(size);
}

void *calloc(size_t count, size_t size) {
    return take(count * size);
}

void free(void *pointer) {
    struct piece *piece = (struct piece *)pointer - 1;
    if (pointer && (uint8_t *)pointer + piece->size == heap.bytes + used)
        used -= piece->size + (uint32_t)sizeof *piece;
}

void *realloc(void *pointer, size_t size) {
    struct piece *piece = (struct piece *)pointer - 1;
    if (pointer && piece->size >= size) return pointer;
    if (pointer && (uint8_t *)pointer + piece->size == heap.bytes + used) {
        uint32_t whole = (uint32_t)(size + 7) & ~7u, more = whole - piece->size;
        if (more > sizeof heap.bytes - used) return 0;
        memset((uint8_t *)pointer + piece->size, 0, more);
        piece->size = whole;
        used += more;
        return pointer;
    }
    void *fresh = take(size);
    if (fresh && pointer) memcpy(fresh, pointer, piece->size);
    return fresh;
}

size_t strlen(const char *text) {
    const char *at = text;
    while (*at) at++;
    return (size_t)(at - text);
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int memcmp(const void *a, const void *b, size_t count) {
    const uint8_t *left = a, *right = b;
    for (; count; count--, left++, right++)
        if (*left != *right) return *left - *right;
    return 0;
}

char *strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

void *memmove(void *to, const void *from, size_t count) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (out < in)
        for (size_t n = 0; n < count; n++) out[n] = in[n];
    else
        while (count--) out[count] = in[count];
    return to;
}

// No kernel uses these; wasm3 refers to them.
#define NEVER(type, name, ...)                                                                               \
    type name(__VA_ARGS__);                                                                                  \
    type name(__VA_ARGS__) {                                                                                 \
        __builtin_trap();                                                                                    \
    }
#define NEVER_2(type, name) NEVER(type, name, type a)
NEVER_2(float, ceilf)
NEVER_2(float, floorf)
NEVER_2(float, truncf)
NEVER_2(float, rintf)
NEVER_2(float, sqrtf)
NEVER_2(double, fabs)
NEVER_2(float, fabsf)
NEVER(double, copysign, double a, double b)
NEVER(float, copysignf, float a, float b)
NEVER(double, strtod, const char *a, char **b)
NEVER(unsigned long, strtoul, const char *a, char **b, int c)
NEVER(unsigned long long, strtoull, const char *a, char **b, int c)
NEVER_2(double, ceil)
NEVER_2(double, floor)
NEVER_2(double, trunc)
NEVER_2(double, rint)
NEVER_2(double, sqrt)
_Noreturn NEVER(void, abort, void)

int snprintf(char *to, size_t size, const char *format, ...) {
    (void)format;
    if (size) *to = 0;
    return 0;
}

int vsnprintf(char *to, size_t size, const char *format, va_list arguments) {
    (void)format, (void)arguments;
    if (size) *to = 0;
    return 0;
}

int printf(const char *format, ...) {
    (void)format;
    return 0;
}

static IM3Runtime runtime;

static M3Result open_module(void) {
    IM3Environment environment = m3_NewEnvironment();
    runtime = environment ? m3_NewRuntime(environment, STACK, 0) : 0;
    if (!runtime) return m3Err_mallocFailed;
    runtime->memoryLimit = bench_module_memory;
    IM3Module module = 0;
    M3Result wrong = m3_ParseModule(environment, &module, bench_module, bench_module_bytes);
    return wrong ? wrong : m3_LoadModule(runtime, module);
}

// Run a kernel; 0 if that went well. The first call of each compiles it to wasm3's own code.
uint32_t bench_interpreter(uint32_t number, uint32_t *result) {
    if (!runtime && open_module()) return 1;
    IM3Function function;
    if (m3_FindFunction(&function, runtime, bench_exports[number])) return 2;
    if (!result) return 0;
    if (m3_CallV(function)) return 3;
    return m3_GetResultsV(function, result) ? 4 : 0;
}

// Bytes of RAM that it takes beyond the module's own memory.
uint32_t bench_interpreter_memory(void) {
    return used - bench_module_memory;
}
