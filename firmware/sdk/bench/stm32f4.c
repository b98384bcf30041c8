// Runs the kernels on an stm32f4 without a kernel: native, translated, and interpreted where the peer is linked in.
// Prints a line for each on USART1: its number, the results, and the times in ticks of SysTick (the core's clock).
// hal/aot/bench.py adds `kernels` and `image`.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct pair {
    u32 (*native)(void);
    void (*translated)(u64 *result);
};

extern const struct pair kernels[];
extern const u32 kernels_count;
extern const u8 image[];
extern const u32 image_bytes;
extern u8 bench_data_from[], bench_data[], bench_data_end[], bench_stack[];

// The peer, in wasm3.c.
__attribute__((weak)) u32 bench_interpreter(u32 number, u32 *result);
__attribute__((weak)) u32 bench_interpreter_memory(void);

void *memcpy(void *to, const void *from, u32 count);
void *memset(void *to, int value, u32 count);
void bench_reset(void);

#define REGISTER(address) (*(volatile u32 *)(address))
#define USART_DATA REGISTER(0x40011004)
#define USART_CONTROL REGISTER(0x4001100C)
#define COPROCESSORS REGISTER(0xE000ED88)
#define TICK_CONTROL REGISTER(0xE000E010)
#define TICK_RELOAD REGISTER(0xE000E014)
#define TICK_NOW REGISTER(0xE000E018)

void *memcpy(void *to, const void *from, u32 count) {
    for (u32 n = 0; n < count; n++) ((u8 *)to)[n] = ((const u8 *)from)[n];
    return to;
}

void *memset(void *to, int value, u32 count) {
    for (u32 n = 0; n < count; n++) ((u8 *)to)[n] = (u8)value;
    return to;
}

static void print(const char *text) {
    while (*text) USART_DATA = (u8)*text++;
}

static void print_number(u32 value, char after) {
    char text[12];
    char *at = text + sizeof text;
    *--at = 0;
    *--at = after;
    do *--at = (char)('0' + value % 10);
    while (value /= 10);
    print(at);
}

// Ticks between two readings of a counter that counts down in 24 bits.
static u32 between(u32 before, u32 after) {
    return (before - after) & 0xFFFFFF;
}

static u32 word(const u8 *at) {
    return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

void bench_reset(void) {
    memcpy(bench_data, bench_data_from, (u32)(bench_data_end - bench_data));
    USART_CONTROL = 0x2008;
    COPROCESSORS |= 0xF << 20;
    TICK_RELOAD = 0xFFFFFF;
    TICK_NOW = 0;
    TICK_CONTROL = 5;
    for (const u8 *record = image; record < image + image_bytes; record += 8 + word(record + 4))
        memcpy((void *)word(record), record + 8, word(record + 4));
    for (u32 n = 0; n < kernels_count; n++) {
        u64 result = 0;
        u32 t0 = TICK_NOW;
        u32 t1 = TICK_NOW;
        u32 overhead = between(t0, t1);
        t0 = TICK_NOW;
        u32 wanted = kernels[n].native();
        t1 = TICK_NOW;
        u32 native = between(t0, t1) - overhead;
        t0 = TICK_NOW;
        kernels[n].translated(&result);
        t1 = TICK_NOW;
        u32 translated = between(t0, t1) - overhead;
        u32 found = 0, interpreted = 0;
        if (bench_interpreter) {
            if (bench_interpreter(n, 0)) found = ~wanted;
            t0 = TICK_NOW;
            if (bench_interpreter(n, &found)) found = ~wanted;
            t1 = TICK_NOW;
            interpreted = between(t0, t1) - overhead;
        }
        print_number(n, ' ');
        print_number(wanted, ' ');
        print_number((u32)result, ' ');
        print_number(found, ' ');
        print_number(native, ' ');
        print_number(translated, ' ');
        print_number(interpreted, '\n');
    }
    if (bench_interpreter_memory) {
        print("memory ");
        print_number(bench_interpreter_memory(), '\n');
    }
    print("end\n");
    for (;;) __asm__ volatile("wfi");
}

static void bench_fault(void) {
    print("fault\n");
    for (;;) __asm__ volatile("wfi");
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    bench_stack, bench_reset, bench_fault, bench_fault, bench_fault, bench_fault, bench_fault, 0,
    0,           0,           0,           bench_fault, bench_fault, 0,           bench_fault, bench_fault,
};
