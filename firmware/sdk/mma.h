// What an executor may ask of its target. Include this, write main, and compile with `mma run your.c`.
//
//     #include "mma.h"
//
//     int main(void) {
//         mma_log_text("hello");
//         return 0;              // 0 is TASK_FINISHED, all else TASK_FAILED
//     }
//
// Any language that makes WebAssembly can do the same: import these functions from module "mma" and
// export `main`. The reference is docs/guest.md.
#ifndef MMA_H
#define MMA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define MMA_IMPORT(name) __attribute__((import_module("mma"), import_name(name)))

// -- output --------------------------------------------------------------------------------------------

// Write one line to the task's log; the target adds the newline. 0 or an error.
MMA_IMPORT("log") int32_t mma_log(const char *text, size_t length);

// Publish the task's result. The last call wins. 0, or MMA_ERR_NOROOM if the task has less room for it.
MMA_IMPORT("result") int32_t mma_result(const void *data, size_t length);

// -- arguments -----------------------------------------------------------------------------------------

// How many arguments the task has.
MMA_IMPORT("arg_count") int32_t mma_arg_count(void);

// Copy at most `size` bytes of an argument. Its whole length, or MMA_ERR_NOENT; no zero is added.
MMA_IMPORT("arg") int32_t mma_arg(int32_t index, char *text, size_t size);

// -- time ----------------------------------------------------------------------------------------------

// Let others run for so many microseconds. An executor that sleeps costs no power.
MMA_IMPORT("sleep_us") void mma_sleep_us(uint64_t microseconds);

// Microseconds since the target started.
MMA_IMPORT("time_us") uint64_t mma_time_us(void);

// Let others run now.
MMA_IMPORT("yield") void mma_yield(void);

// End here, as if main had returned `status`.
MMA_IMPORT("exit") __attribute__((noreturn)) void mma_exit(int32_t status);

// -- sensors and pins: only those that the task's resources hold, else MMA_ERR_DENIED ------------------

// Read a sensor, in thousandths of its unit. 0 or an error.
MMA_IMPORT("sensor_read") int32_t mma_sensor_read_named(const char *name, size_t length, int32_t *value);

// Make a pin an input or output. 0 or an error.
MMA_IMPORT("gpio_mode") int32_t mma_gpio_mode(int32_t pin, enum mma_gpio_mode mode);

// Drive an output high (1) or low (0). 0 or an error.
MMA_IMPORT("gpio_write") int32_t mma_gpio_write(int32_t pin, int32_t level);

// The level of a pin, 0 or 1, or an error.
MMA_IMPORT("gpio_read") int32_t mma_gpio_read(int32_t pin);

// Pulses without end: high for `high_ns` of every `period_ns`. By a timer of the chip where one reaches the pin,
// else by the kernel, to some microseconds and with a period of a millisecond at least (MMA_ERR_UNSUPPORTED).
// A period of 0 ends them, as mma_gpio_mode and mma_gpio_write on the pin do. 0 or an error.
MMA_IMPORT("pwm") int32_t mma_pwm(int32_t pin, uint32_t period_ns, uint32_t high_ns);

// -- rules: react on the device itself, link or no link ------------------------------------------------
//
//     static void pressed(int32_t level) { mma_gpio_write(LED, level); }
//
//     int main(void) {
//         mma_on_edge(BUTTON, MMA_EDGE_BOTH, pressed);
//         return mma_serve();
//     }
//
// Each gives the rule's number, for mma_off, or an error: MMA_ERR_DENIED, or MMA_ERR_NOROOM past eight rules.

// What a rule calls. What happens meanwhile waits for its turn.
typedef void (*mma_handler)(int32_t value);

// `handler` gets the level after an edge of the pin.
MMA_IMPORT("on_edge") int32_t mma_on_edge(int32_t pin, enum mma_edge edges, mma_handler handler);

// `handler` gets how many periods are over: 1, or more when it came late.
MMA_IMPORT("on_timer") int32_t mma_on_timer(uint64_t period_us, mma_handler handler);

struct mma_threshold {
    const char *sensor;
    size_t length;
    int32_t above, below; // thousandths of the sensor's unit
    uint32_t period_us;   // how often to look, MMA_RULE_LEAST at least
};
MMA_IMPORT("on_threshold") int32_t mma_on_threshold_named(const struct mma_threshold *threshold, mma_handler handler);

// `handler` gets how many milliseconds are left, once somebody wants the task to end and gives it time. What main
// then returns makes no difference to Mesos, the result does.
MMA_IMPORT("on_stop") int32_t mma_on_stop(mma_handler handler);

// `handler` gets the length of a message of the framework, which is in `buffer` until the handler returns. One that
// does not fit is refused. Messages may get lost.
MMA_IMPORT("on_message") int32_t mma_on_message(void *buffer, size_t size, mma_handler handler);

// Forget a rule. 0 or an error.
MMA_IMPORT("off") int32_t mma_off(int32_t rule);

// Sleep until a rule comes true: its handler in the low half and what it gets in the high one, or -1 if no rule
// is left that could.
MMA_IMPORT("wait") int64_t mma_wait(void);

// -- conveniences, made of the above -------------------------------------------------------------------

// Targets start the export `main`; in WebAssembly, C's own main is not one.
#define main __attribute__((export_name("main"))) mma_guest_main

#define MMA_HELPER static inline __attribute__((unused))

MMA_HELPER size_t mma_length(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

// Log a zero-terminated text.
MMA_HELPER int32_t mma_log_text(const char *text) {
    return mma_log(text, mma_length(text));
}

// Publish a zero-terminated text as the result.
MMA_HELPER int32_t mma_result_text(const char *text) {
    return mma_result(text, mma_length(text));
}

MMA_HELPER void mma_sleep_ms(uint32_t milliseconds) {
    mma_sleep_us((uint64_t)milliseconds * 1000);
}

// Read a sensor by its zero-terminated name.
MMA_HELPER int32_t mma_sensor_read(const char *name, int32_t *value) {
    return mma_sensor_read_named(name, mma_length(name), value);
}

// Look at a sensor every `period_us`. `handler` gets the reading when it rises past `above`, and when it falls below
// `below`; in between (the hysteresis) nothing happens. The first reading outside counts.
MMA_HELPER int32_t mma_on_threshold(const char *sensor, int32_t above, int32_t below, uint32_t period_us,
                                    mma_handler handler) {
    struct mma_threshold threshold = {sensor, mma_length(sensor), above, below, period_us};
    return mma_on_threshold_named(&threshold, handler);
}

// Call handlers as their rules come true, until no rule is left. Gives 0, for main to return.
MMA_HELPER int32_t mma_serve(void) {
    for (int64_t event; (event = mma_wait()) != -1;)
        ((mma_handler)(uintptr_t)(uint32_t)event)((int32_t)(event >> 32));
    return 0;
}

// An argument as a decimal number; `otherwise` if there is none or it is no number.
MMA_HELPER int32_t mma_arg_i32(int32_t index, int32_t otherwise) {
    char text[12];
    int32_t length = mma_arg(index, text, sizeof text);
    if (length <= 0 || length > (int32_t)sizeof text) return otherwise;
    int32_t at = text[0] == '-', value = 0;
    if (at == length) return otherwise;
    for (; at < length; at++) {
        if (text[at] < '0' || text[at] > '9') return otherwise;
        value = value * 10 + (text[at] - '0');
    }
    return text[0] == '-' ? -value : value;
}

// Write text into `out` as printf does, zero-terminated and never past `size`. It knows %d %u %x (with a
// width, and a leading 0 to fill with zeros), %s, %c and %%. The length written, without the zero.
__attribute__((weak, format(printf, 3, 0))) size_t mma_format_list(char *out, size_t size, const char *format,
                                                                   va_list values) {
    size_t length = 0;
    for (const char *at = format; *at; at++) {
        char digits[11];
        char *piece = digits + sizeof digits;
        size_t count = 1, width = 0;
        char fill = ' ';
        if (*at == '%' && at[1]) {
            at++;
            if (*at == '0') fill = *at++;
            while (*at >= '0' && *at <= '9') width = width * 10 + (size_t)(*at++ - '0');
            if (*at == 'd' || *at == 'u' || *at == 'x') {
                int32_t value = va_arg(values, int32_t);
                uint32_t left = *at == 'd' && value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
                uint32_t base = *at == 'x' ? 16 : 10;
                do *--piece = "0123456789abcdef"[left % base];
                while (left /= base);
                count = (size_t)(digits + sizeof digits - piece);
                if (*at == 'd' && value < 0) {
                    if (fill == '0') {
                        if (length + 1 < size) out[length++] = '-';
                        if (width) width--;
                    } else {
                        *--piece = '-';
                        count++;
                    }
                }
            } else if (*at == 's') {
                piece = va_arg(values, char *);
                count = mma_length(piece);
            } else {
                *--piece = *at == 'c' ? (char)va_arg(values, int) : *at;
            }
        } else {
            *--piece = *at;
        }
        for (; width > count; width--)
            if (length + 1 < size) out[length++] = fill;
        for (; count; count--, piece++)
            if (length + 1 < size) out[length++] = *piece;
    }
    if (size) out[length] = 0;
    return length;
}

__attribute__((format(printf, 3, 4))) MMA_HELPER size_t mma_format(char *out, size_t size, const char *format,
                                                                   ...) {
    va_list values;
    va_start(values, format);
    size_t length = mma_format_list(out, size, format, values);
    va_end(values);
    return length;
}

// Log a line as printf does; longer ones than this are cut.
#define MMA_LINE 80

__attribute__((format(printf, 1, 2))) MMA_HELPER int32_t mma_logf(const char *format, ...) {
    char line[MMA_LINE];
    va_list values;
    va_start(values, format);
    size_t length = mma_format_list(line, sizeof line, format, values);
    va_end(values);
    return mma_log(line, length);
}

// Send a message to the framework: a line as printf makes it, of less than MMA_LINE bytes. It may get lost. It travels
// as a log line that begins with the byte 2.
#define mma_sendf(...) mma_logf("\002" __VA_ARGS__)

// Publish a text as printf makes it.
__attribute__((format(printf, 1, 2))) MMA_HELPER int32_t mma_resultf(const char *format, ...) {
    char line[MMA_LINE];
    va_list values;
    va_start(values, format);
    size_t length = mma_format_list(line, sizeof line, format, values);
    va_end(values);
    return mma_result(line, length);
}

// -- what freestanding C takes for granted: compilers call these by themselves -------------------------

#define MMA_LIBRARY __attribute__((weak, no_builtin))

MMA_LIBRARY void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    for (size_t n = 0; n < count; n++) ((char *)to)[n] = ((const char *)from)[n];
    return to;
}

MMA_LIBRARY void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to - (uintptr_t)from >= count) return memcpy(to, from, count);
    while (count--) ((char *)to)[count] = ((const char *)from)[count];
    return to;
}

MMA_LIBRARY void *memset(void *to, int value, size_t count) {
    for (size_t n = 0; n < count; n++) ((char *)to)[n] = (char)value;
    return to;
}

MMA_LIBRARY int memcmp(const void *a, const void *b, size_t count) {
    const unsigned char *left = a, *right = b;
    for (; count; count--, left++, right++)
        if (*left != *right) return *left - *right;
    return 0;
}

MMA_LIBRARY size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

#endif
