// The kernels of `mma bench aot`: this one text is compiled natively and to WebAssembly, and both are run on the
// board. Those of basic.h work on arrays of fixed place and size; `_any` are the same again on pointers and
// lengths that no compiler can see through, where each bounds check stays. core.h is what CoreMark measures,
// written anew: a linked list, small matrices, a state machine, a CRC bit by bit.

typedef __UINT8_TYPE__ uint8_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __INT64_TYPE__ int64_t;

#ifdef __wasm__
#define KERNEL(name)                                                                                         \
    __attribute__((export_name(#name))) uint32_t name(void);                                                 \
    uint32_t name(void)
#else
#define KERNEL(name)                                                                                         \
    uint32_t name(void);                                                                                     \
    uint32_t name(void)
#endif

static uint32_t seed;

static uint32_t next(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

#include "basic.h"
#include "core.h"

KERNEL(bench_setup) {
    seed = 1;
    setup_basic();
    setup_core();
    return seed;
}

KERNEL(bench_fib) {
    return fib(18);
}

KERNEL(bench_crc32) {
    return crc32(data, BYTES);
}

KERNEL(bench_matrix) {
    return multiply(product, left, right);
}

KERNEL(bench_fir) {
    return fir(filtered, samples, taps, SAMPLES, TAPS);
}

KERNEL(bench_sort) {
    for (int n = 0; n < ITEMS; n++) items[n] = unsorted[n];
    return sort(items, ITEMS);
}

KERNEL(bench_base64) {
    return base64(text, data, BYTES / 4);
}

KERNEL(bench_pid) {
    return pid(STEPS);
}

KERNEL(bench_list) {
    return list(&nodes[0]);
}

KERNEL(bench_small) {
    return small_matrices(cells, CELLS);
}

KERNEL(bench_state) {
    return states(words, WORDS);
}

KERNEL(bench_crc16) {
    uint16_t crc = 0;
    for (int n = 0; n < 1024; n++) crc = crc16(data[n], crc);
    return crc;
}

KERNEL(bench_crc32_any) {
    return crc32(any_data, any_length);
}

KERNEL(bench_matrix_any) {
    return multiply(*any_product, *any_left, *any_right);
}

KERNEL(bench_fir_any) {
    return fir(any_filtered, any_samples, any_taps, any_count, any_width);
}

KERNEL(bench_sort_any) {
    uint32_t *to = any_items;
    for (int n = 0; n < ITEMS; n++) to[n] = unsorted[n];
    return sort(to, any_item_count);
}

KERNEL(bench_base64_any) {
    return base64(any_text, any_data, any_length / 4);
}
