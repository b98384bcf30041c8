// Kernels on plain arrays, and what they work on.

#define BYTES 4096
#define SIDE 24
#define TAPS 32
#define SAMPLES 256
#define ITEMS 512
#define STEPS 500

typedef int32_t matrix[SIDE][SIDE];

static uint8_t data[BYTES];
static uint32_t table[256];
static matrix left, right, product;
static int16_t samples[SAMPLES + TAPS], taps[TAPS];
static int32_t filtered[SAMPLES];
static uint32_t unsorted[ITEMS], items[ITEMS];
static uint8_t text[BYTES / 2];

// In memory, so that neither compiler knows them.
static uint8_t *volatile any_data = data, *volatile any_text = text;
static matrix *volatile any_left = &left, *volatile any_right = &right, *volatile any_product = &product;
static int16_t *volatile any_samples = samples, *volatile any_taps = taps;
static int32_t *volatile any_filtered = filtered;
static uint32_t *volatile any_items = items;
static volatile uint32_t any_length = BYTES, any_item_count = ITEMS;
static volatile int any_count = SAMPLES, any_width = TAPS;

static void setup_basic(void) {
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
    for (int n = 0; n < ITEMS; n++) unsorted[n] = next();
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

// Heap sort: its loads and stores depend on each other, and no address is known beforehand.
static inline void sift(uint32_t *array, uint32_t root, uint32_t count) {
    uint32_t value = array[root];
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && array[child + 1] > array[child]) child++;
        if (array[child] <= value) break;
        array[root] = array[child];
    }
    array[root] = value;
}

static inline uint32_t sort(uint32_t *array, uint32_t count) {
    for (uint32_t n = count / 2; n > 0; n--) sift(array, n - 1, count);
    for (uint32_t n = count - 1; n > 0; n--) {
        uint32_t largest = array[0];
        array[0] = array[n];
        array[n] = largest;
        sift(array, 0, n);
    }
    uint32_t check = 0;
    for (uint32_t n = 0; n < count; n++) check = check * 31 + array[n];
    return check;
}

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static inline uint32_t base64(uint8_t *out, const uint8_t *bytes, uint32_t length) {
    uint8_t *to = out;
    uint32_t n = 0;
    for (; n + 3 <= length; n += 3) {
        uint32_t three = (uint32_t)bytes[n] << 16 | (uint32_t)bytes[n + 1] << 8 | bytes[n + 2];
        *to++ = (uint8_t)digits[three >> 18];
        *to++ = (uint8_t)digits[three >> 12 & 63];
        *to++ = (uint8_t)digits[three >> 6 & 63];
        *to++ = (uint8_t)digits[three & 63];
    }
    if (n < length) {
        uint32_t rest = (uint32_t)bytes[n] << 16 | (n + 1 < length ? (uint32_t)bytes[n + 1] << 8 : 0);
        *to++ = (uint8_t)digits[rest >> 18];
        *to++ = (uint8_t)digits[rest >> 12 & 63];
        *to++ = n + 1 < length ? (uint8_t)digits[rest >> 6 & 63] : '=';
        *to++ = '=';
    }
    uint32_t check = 0;
    for (const uint8_t *at = out; at < to; at++) check = check * 31 + *at;
    return check;
}

// A PID controller with anti-windup and a filtered derivative, on a plant with two time constants.
struct pid {
    float kp, ki, kd, dt, least, most, sum, before, slope;
};

static inline float pid_step(struct pid *c, float wanted, float got) {
    float error = wanted - got;
    float sum = c->sum + error * c->ki * c->dt;
    c->slope = 0.8f * c->slope + 0.2f * ((error - c->before) / c->dt);
    c->before = error;
    float out = c->kp * error + sum + c->kd * c->slope;
    if (out > c->most)
        out = c->most;
    else if (out < c->least)
        out = c->least;
    else
        c->sum = sum;
    return out;
}

static struct pid controller;

static inline uint32_t pid(int steps) {
    controller = (struct pid){2.0f, 0.5f, 0.1f, 0.01f, -10.0f, 10.0f, 0.0f, 0.0f, 0.0f};
    float first = 0, second = 0;
    for (int n = 0; n < steps; n++) {
        float drive = pid_step(&controller, n < steps / 2 ? 1.0f : -0.5f, second);
        first += (drive - first) * 0.05f;
        second += (first - second) * 0.02f;
    }
    union {
        float value;
        uint32_t bits;
    } result = {second};
    return result.bits;
}
