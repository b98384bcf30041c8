// Pulses by timers. RM0090 18: the four channels of a timer share one period.
#include "chip.h"
#include "kernel/bytes.h"
#include "registers.h"

#define PIN(port, number) (((port) - 'A') * 16 + (number))

// All of them on alternate function 2 (STM32F405 data sheet DS8626, table 9).
static const struct {
    uint8_t pin;
    uint8_t timer;
    uint8_t channel; // from 0
} routes[] = {
    {PIN('D', 12), 4, 0}, {PIN('D', 13), 4, 1}, {PIN('D', 14), 4, 2}, {PIN('D', 15), 4, 3}, {PIN('A', 0), 5, 0},
    {PIN('C', 6), 3, 0},  {PIN('C', 7), 3, 1},  {PIN('C', 8), 3, 2},  {PIN('C', 9), 3, 3},
};

static uint32_t ticks_of(uint32_t ns) { // 64-bit division is bigger than this
    uint32_t mhz = mma_stm32f4_timer_hz() / 1000000;
    return ns / 1000 * mhz + ns % 1000 * mhz / 1000;
}

static void stop(uint32_t timer, uint32_t channel) {
    TIM_CCER(timer) &= ~(1u << 4 * channel);
    if (!TIM_CCER(timer)) {
        TIM_CR1(timer) = 0;
    }
}

static int start(uint32_t timer, uint32_t channel, uint32_t period_ns, uint32_t high_ns) {
    uint32_t period = ticks_of(period_ns), by = period / 0xFFFF + 1; // at most 0xFFFF ticks: one more is "always"
    uint32_t top = period / by, high = ticks_of(high_ns) / by, shift = (channel & 1) * 8;
    if (top < 2) {
        return MMA_ERR_INVALID;
    }
    if (TIM_CCER(timer) & ~(1u << 4 * channel)) { // others use it
        if (TIM_PSC(timer) != by - 1 || TIM_ARR(timer) != top - 1) {
            return MMA_ERR_BUSY;
        }
    } else {
        TIM_PSC(timer) = by - 1;
        TIM_ARR(timer) = top - 1;
    }
    TIM_CCMR(timer, channel) = (TIM_CCMR(timer, channel) & ~(0xFFu << shift)) | 0x68u << shift; // PWM 1, preload
    TIM_CCR(timer, channel) = mma_min(high, top);
    TIM_CCER(timer) |= 1u << 4 * channel;
    if (!(TIM_CR1(timer) & 1)) {
        TIM_EGR(timer) = 1;      // takes over what is preloaded
        TIM_CR1(timer) = 1 | 1 << 7; // on, period preloaded
    }
    return 0;
}

int mma_chip_pwm(uint8_t pin, uint32_t period_ns, uint32_t high_ns) {
    uint32_t port = pin >> 4, at = (pin & 15u) * 2, by = (pin & 7u) * 4, i = 0;
    while (i < sizeof routes / sizeof *routes && routes[i].pin != pin) {
        i++;
    }
    if (i == sizeof routes / sizeof *routes) {
        return MMA_ERR_UNSUPPORTED;
    }
    uint32_t timer = routes[i].timer, mode = 1; // an output
    RCC_APB1ENR |= 1u << (timer - 2);
    (void)RCC_APB1ENR; // as for ports (gpio.c)
    int error = period_ns ? start(timer, routes[i].channel, period_ns, high_ns) : 0;
    if (error || !period_ns) {
        stop(timer, routes[i].channel);
    } else {
        GPIO_AFR(port, pin & 15u) = (GPIO_AFR(port, pin & 15u) & ~(15u << by)) | 2u << by;
        mode = 2; // the timer's
    }
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << at)) | mode << at;
    return error;
}
