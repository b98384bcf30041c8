// The functions of module `mma` that guests import (their promises are in mma.h), as host calls.
// Pointers stay offsets into linear memory: the kernel checks them.
#ifndef MMA_HOST_H
#define MMA_HOST_H

MMA_INLINE u32 mma_host_log(u32 text, u32 length) {
    return mma_call_32(MMA_CALL_LOG, text, length, 0);
}

MMA_INLINE u32 mma_host_result(u32 data, u32 length) {
    return mma_call_32(MMA_CALL_RESULT, data, length, 0);
}

MMA_INLINE void mma_host_sleep_us(u64 microseconds) {
    mma_call_64(MMA_CALL_SLEEP, microseconds);
}

MMA_INLINE u64 mma_host_time_us(void) {
    return mma_call_64(MMA_CALL_TIME, 0);
}

MMA_INLINE void mma_host_yield(void) {
    mma_call_32(MMA_CALL_YIELD, 0, 0, 0);
}

__attribute__((noreturn)) MMA_INLINE void mma_host_exit(u32 status) {
    mma_call_32(MMA_CALL_EXIT, status, 0, 0);
    __builtin_unreachable();
}

MMA_INLINE u32 mma_host_sensor_read(u32 name, u32 length, u32 value) {
    return mma_call_32(MMA_CALL_SENSOR_READ, name, length, value);
}

MMA_INLINE u32 mma_host_gpio_mode(u32 pin, u32 mode) {
    return mma_call_32(MMA_CALL_GPIO_MODE, pin, mode, 0);
}

MMA_INLINE u32 mma_host_gpio_write(u32 pin, u32 level) {
    return mma_call_32(MMA_CALL_GPIO_WRITE, pin, level, 0);
}

MMA_INLINE u32 mma_host_gpio_read(u32 pin) {
    return mma_call_32(MMA_CALL_GPIO_READ, pin, 0, 0);
}

MMA_INLINE u32 mma_host_pwm(u32 pin, u32 period, u32 high) {
    return mma_call_32(MMA_CALL_PWM, pin, period, high);
}

MMA_INLINE u32 mma_host_on_edge(u32 pin, u32 edges, u32 handler) {
    return mma_call_32(MMA_CALL_ON_EDGE, pin, edges, handler);
}

MMA_INLINE u32 mma_host_on_threshold(u32 threshold, u32 handler) {
    return mma_call_32(MMA_CALL_ON_THRESHOLD, threshold, handler, 0);
}

// A 64-bit value is a pair of registers: its halves are just that.
MMA_INLINE u32 mma_host_on_timer(u64 period, u32 handler) {
    return mma_call_32(MMA_CALL_ON_TIMER, (u32)period, (u32)(period >> 32), handler);
}

MMA_INLINE u32 mma_host_on_stop(u32 handler) {
    return mma_call_32(MMA_CALL_ON_STOP, handler, 0, 0);
}

MMA_INLINE u32 mma_host_on_message(u32 to, u32 size, u32 handler) {
    return mma_call_32(MMA_CALL_ON_MESSAGE, to, size, handler);
}

MMA_INLINE u32 mma_host_off(u32 rule) {
    return mma_call_32(MMA_CALL_OFF, rule, 0, 0);
}

MMA_INLINE u64 mma_host_wait(void) {
    return mma_call_64(MMA_CALL_WAIT, 0);
}

// Arguments lie behind the code, so they need no host call.
MMA_INLINE u32 mma_host_arg_count(void) {
    return mma_arguments[0];
}

static inline __attribute__((nodebug)) u32 mma_host_arg(u32 index, u32 to, u32 size) {
    const u32 *argument = mma_arguments + 1;
    if (index >= mma_arguments[0]) return (u32)MMA_ERR_NOENT;
    while (index--) argument += 1 + (argument[0] + 3) / 4;
    u32 length = argument[0];
    u32 count = length < size ? length : size;
    if ((u64)to + count > MMA_LIMIT) return (u32)MMA_ERR_FAULT;
    memcpy(mma_memory + to, argument + 1, count);
    return length;
}

#endif
