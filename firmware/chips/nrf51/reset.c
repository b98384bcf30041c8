// Clocks, why the board started, the watchdog, and what tells one boot from another. Reference manual, chapters 11
// (reset), 13 (clock), 20 (random numbers) and 24 (watchdog).
#include "chip.h"
#include "kernel/config.h"
#include "registers.h"

#define TRIES 100000u

static int cause = -1;

static void read_cause(void) {
    enum { PIN = 1, WATCHDOG = 1 << 1, SOFTWARE = 1 << 2, LOCKUP = 1 << 3 };
    uint32_t flags = POWER_RESETREAS;
    POWER_RESETREAS = flags; // written ones clear
    if (POWER_RESETREAS & flags) {
        return; // they don't: no such register, so an emulator
    }
    if (flags & WATCHDOG) {
        cause = MMA_RESET_WATCHDOG;
    } else if (flags & LOCKUP) {
        cause = MMA_RESET_CRASH;
    } else if (flags & SOFTWARE) {
        cause = MMA_RESET_SOFTWARE;
    } else if (flags & PIN) {
        cause = MMA_RESET_PIN;
    } else if (!flags) {
        cause = MMA_RESET_POWER; // or a brown-out, which the chip doesn't tell apart
    }
}

int mma_chip_reset_cause(void) { return cause; }

uint32_t mma_chip_entropy(void) {
    uint32_t word = 0;
    RNG_START = 1;
    for (uint32_t i = 0; i < sizeof word; i++) {
        RNG_VALRDY = 0;
        for (uint32_t tries = 0; !RNG_VALRDY && tries < TRIES; tries++) {
        }
        word = word << 8 | (RNG_VALUE & 0xFF);
    }
    RNG_STOP = 1;
    return word;
}

uint32_t mma_chip_unique_id(uint32_t words[MMA_UNIQUE_WORDS]) {
    words[0] = FICR_DEVICEID(0);
    words[1] = FICR_DEVICEID(1);
    return 2;
}

void mma_chip_watchdog_feed(void) {
#if MMA_WATCHDOG
    WDT_RR(0) = 0x6E524635;
#endif
}

static void start_watchdog(void) {
#if MMA_WATCHDOG
    WDT_CONFIG = 1;     // counts while the core sleeps, and not while a debugger has stopped it
    WDT_CRV = 4 * 32768 - 1; // 4 s; the kernel looks at least once a second
    WDT_RREN = 1;
    WDT_START = 1;
#endif
}

uint32_t mma_chip_core_hz(void) { return MMA_NRF51_HZ; }

void mma_chip_init(void) {
    read_cause();
    CLOCK_HFCLKSTARTED = 0;
    CLOCK_HFCLKSTART = 1; // the crystal: the internal oscillator is too coarse for a UART
    for (uint32_t tries = 0; !CLOCK_HFCLKSTARTED && tries < TRIES; tries++) {
    }
    mma_nrf51_timer();
    mma_nrf51_uart();
    start_watchdog();
}
