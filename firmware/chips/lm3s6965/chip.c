// Clocks, why the board started, the watchdog (chapters 5 and 10), and pins, numbered 8 * port + pin (chapter 8).
#include "chips/chip.h"
#include "kernel/config.h"
#include "registers.h"

#define HZ 50000000u
#define TRIES 100000u

void mma_lm3s6965_uart(void);

static int cause = -1;

static void start_clock(void) {
    enum { BYPASS = 1 << 11, USE_DIVIDER = 1 << 22, BY_4 = 3 << 23, XTAL_8_MHZ = 14 << 6, LOCKED = 1 << 6 };
    SYSCTL_RCC = BYPASS | USE_DIVIDER | BY_4 | XTAL_8_MHZ; // main oscillator and PLL on
    for (uint32_t tries = 0; !(SYSCTL_RIS & LOCKED) && tries < TRIES; tries++) {
    }
    SYSCTL_RCC = USE_DIVIDER | BY_4 | XTAL_8_MHZ; // 200 MHz / 4
}

static void read_cause(void) {
    enum { PIN = 1, POWER = 1 << 1, BROWNOUT = 1 << 2, WATCHDOG = 1 << 3, SOFTWARE = 1 << 4 };
    uint32_t flags = SYSCTL_RESC;
    SYSCTL_RESC = 0;
    cause = flags & WATCHDOG   ? MMA_RESET_WATCHDOG
            : flags & SOFTWARE ? MMA_RESET_SOFTWARE
            : flags & POWER    ? MMA_RESET_POWER
            : flags & BROWNOUT ? MMA_RESET_BROWNOUT
            : flags & PIN      ? MMA_RESET_PIN
                               : -1;
}

void mma_chip_init(void) {
    read_cause();
    start_clock();
    mma_lm3s6965_uart();
#if MMA_WATCHDOG
    SYSCTL_RCGC0 |= 1 << 3;
    (void)SYSCTL_RCGC0;
    WDT_TEST = 1 << 8;   // not while a debugger has stopped the core
    WDT_LOAD = 2 * HZ;   // it resets when it runs out the second time: 4 s
    WDT_CTL = 1 | 1 << 1; // on, and resets
#endif
}

void mma_chip_watchdog_feed(void) {
#if MMA_WATCHDOG
    WDT_ICR = 1; // loads it anew
#endif
}

uint32_t mma_chip_core_hz(void) { return HZ; }

int mma_chip_reset_cause(void) { return cause; }

uint32_t mma_chip_entropy(void) { return 0; }

uint32_t mma_chip_unique_id(uint32_t words[MMA_UNIQUE_WORDS]) { // the board's MAC address, 3 bytes a register
    words[0] = SYSCTL_USER0;
    words[1] = SYSCTL_USER1;
    return words[0] == UINT32_MAX ? 0 : 2; // never written
}

static void put(volatile uint32_t *at, uint32_t bit, bool value) { *at = (*at & ~bit) | (value ? bit : 0); }

int mma_chip_gpio_mode(uint8_t pin, enum mma_gpio_mode mode) {
    uint32_t port = pin >> 3, bit = 1u << (pin & 7);
    SYSCTL_RCGC2 |= 1u << port;
    (void)SYSCTL_RCGC2; // the clock is there some cycles after the write
    put(&GPIO_PUR(port), bit, mode == MMA_GPIO_INPUT_PULLUP);
    put(&GPIO_PDR(port), bit, mode == MMA_GPIO_INPUT_PULLDOWN);
    put(&GPIO_DIR(port), bit, mode == MMA_GPIO_OUTPUT);
    put(&GPIO_DEN(port), bit, true);
    return 0;
}

int mma_chip_gpio_write(uint8_t pin, bool level) {
    uint32_t bit = 1u << (pin & 7);
    SYSCTL_RCGC2 |= 1u << (pin >> 3);
    GPIO_DATA(pin >> 3, bit) = level ? bit : 0;
    return 0;
}

int mma_chip_gpio_read(uint8_t pin) {
    uint32_t bit = 1u << (pin & 7);
    SYSCTL_RCGC2 |= 1u << (pin >> 3);
    return GPIO_DATA(pin >> 3, bit) ? 1 : 0;
}

// No sensor of its own is offered: an emulator may stand in for one.
int mma_chip_sensor(uint8_t sensor, int32_t *value) {
    (void)sensor;
    (void)value;
    return MMA_ERR_NOENT;
}
