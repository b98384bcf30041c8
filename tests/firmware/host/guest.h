// Host calls for guests that the kernel's tests write in plain C. The real runtime is in firmware/sdk/executor.
#include <stdint.h>

#define MEM ((volatile uint8_t *)MEMORY)
#define WORD(address) (*(volatile uint32_t *)(address))

#if defined(__thumb__)
#define HOST(number, a, b, c)                                                                                          \
    ({                                                                                                                 \
        register uint32_t r0 __asm("r0") = (uint32_t)(a);                                                              \
        register uint32_t r1 __asm("r1") = (uint32_t)(b);                                                              \
        register uint32_t r2 __asm("r2") = (uint32_t)(c);                                                              \
        __asm volatile("svc %3" : "+r"(r0), "+r"(r1), "+r"(r2) : "i"(number) : "memory");                              \
        r0 | (uint64_t)r1 << 32;                                                                                       \
    })
#elif defined(__riscv)
#define HOST(number, a, b, c)                                                                                          \
    ({                                                                                                                 \
        register uint32_t a0 __asm("a0") = (uint32_t)(a);                                                              \
        register uint32_t a1 __asm("a1") = (uint32_t)(b);                                                              \
        register uint32_t a2 __asm("a2") = (uint32_t)(c);                                                              \
        register uint32_t a7 __asm("a7") = (uint32_t)(number);                                                         \
        __asm volatile("ecall" : "+r"(a0), "+r"(a1), "+r"(a2) : "r"(a7) : "memory");                                   \
        a0 | (uint64_t)a1 << 32;                                                                                       \
    })
#endif

static inline __attribute__((noreturn, always_inline)) void finish(int status) {
    HOST(0, status, 0, 0);
    __builtin_unreachable();
}
#define say(from, length) ((int)HOST(4, from, length, 0))
#define publish(from, length) ((int)HOST(5, from, length, 0))
#define pause(microseconds) HOST(2, microseconds, 0, 0)
#define now() HOST(3, 0, 0, 0)
#define yield() HOST(1, 0, 0, 0)
#define sensor(name, length, to) ((int)HOST(6, name, length, to))
#define gpio_mode(pin, mode) ((int)HOST(7, pin, mode, 0))
#define gpio_write(pin, level) ((int)HOST(8, pin, level, 0))
#define gpio_read(pin) ((int)HOST(9, pin, 0, 0))
#define memory_size(bytes) ((int)HOST(10, bytes, 0, 0))
#define on_edge(pin, edges, handler) ((int)HOST(11, pin, edges, handler))
#define on_threshold(wish, handler) ((int)HOST(12, wish, handler, 0))
#define on_timer(microseconds, handler) ((int)HOST(13, microseconds, 0, handler))
#define on_stop(handler) ((int)HOST(17, handler, 0, 0))
#define on_message(to, size, handler) ((int)HOST(18, to, size, handler))
#define off(rule) ((int)HOST(14, rule, 0, 0))
#define wait_rule() HOST(15, 0, 0, 0)
#define pwm(pin, period, high) ((int)HOST(16, pin, period, high))
#define trap(code) HOST(0x80 | (code), 0, 0, 0)

void start(void);
