// The kernels of `mma bench aot`: this one text is compiled natively and to WebAssembly, and both are run on the
// board. The first four work on arrays of fixed place and size; the last three are the same again on pointers and
// lengths that the compiler can't see through, where each bounds check stays.

typedef __UINT8_TYPE__ uint8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;

#ifdef __wasm__
#define KERNEL(name)                                                                                         \
    __attribute__((export_name(#name))) uint32_t name(void);                                                 \
    uint32_t name(void)
#else
#define KERNEL(name)                                                                                         \
    uint32_t name(void);                                                                                     \
    uint32_t name(void)
#endif

#define BYTES 4096
#define SIDE 24
#define TAPS 32
#define SAMPLES 256

typedef int32_t matrix[SIDE][SIDE];

static uint8_t data[BYTES];
static uint32_t table[256];
static matrix left, right, product;
static int16_t samples[SAMPLES + TAPS], taps[TAPS];
static int32_t filtered[SAMPLES];
static uint32_t seed = 1;

// In memory, so that neither compiler knows them.
static uint8_t *volatile any_data = data;
static matrix *volatile any_left = &left, *volatile any_right = &right, *volatile any_product = &product;
static int16_t *volatile any_samples = samples, *volatile any_taps = taps;
static int32_t *volatile any_filtered = filtered;
static volatile uint32_t any_length = BYTES;
static volatile int any_count = SAMPLES, any_width = TAPS;

static uint32_t next(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static inline uint32_t fib(uint32_t n);
static inline uint32_t crc32(const uint8_t *bytes, uint32_t length);
static inline uint32_t multiply(matrix out, matrix l, matrix r);
static inline uint32_t fir(int32_t *out, const int16_t *in, const int16_t *h, int count, int width);

KERNEL(bench_setup) {
    for (int n = 0; n < BYTES; n++) data[n] = (uint8_t)next();
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t value = n;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xEDB88320 : value >> 1;
        table[n] = value;
    }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) left[i][j] = (int32_t)next(), right[i][j] = (int32_t)next();
    for (int n = 0; n < SAMPLES + TAPS; n++) samples[n] = (int16_t)next();
    for (int n = 0; n < TAPS; n++) taps[n] = (int16_t)next();
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

KERNEL(bench_crc32_any) {
    return crc32(any_data, any_length);
}

KERNEL(bench_matrix_any) {
    return multiply(*any_product, *any_left, *any_right);
}

KERNEL(bench_fir_any) {
    return fir(any_filtered, any_samples, any_taps, any_count, any_width);
}

static uint32_t fib_of(uint32_t n) {
    return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2);
}

static inline uint32_t fib(uint32_t n) {
    return fib_of(n);
}

static inline uint32_t crc32(const uint8_t *bytes, uint32_t length) {
    uint32_t crc = 0xFFFFFFFF;
    for (uint32_t n = 0; n < length; n++) crc = table[(crc ^ bytes[n]) & 0xFF] ^ crc >> 8;
    return ~crc;
}

static inline uint32_t multiply(matrix out, matrix l, matrix r) {
    uint32_t check = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t sum = 0;
            for (int k = 0; k < SIDE; k++) sum += l[i][k] * r[k][j];
            out[i][j] = sum;
        }
    for (int i = 0; i < SIDE; i++) check = check * 31 + (uint32_t)out[i][SIDE - 1 - i];
    return check;
}

static inline uint32_t fir(int32_t *out, const int16_t *in, const int16_t *h, int count, int width) {
    uint32_t check = 0;
    for (int n = 0; n < count; n++) {
        int32_t sum = 0;
        for (int k = 0; k < width; k++) sum += in[n + k] * h[k];
        out[n] = sum >> 15;
    }
    for (int n = 0; n < count; n += 15) check = check * 31 + (uint32_t)out[n];
    return check;
}
