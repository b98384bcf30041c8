// Why the board started (RM0090 6.3.21), the watchdog (21), and what tells one chip or boot from another.
#include "chip.h"
#include "kernel/config.h"
#include "registers.h"

static int cause = -1;

static void read_cause(void) {
    enum { FORGET = 1 << 24, BROWNOUT = 1 << 25, PIN = 1 << 26, POWER = 1 << 27, SOFTWARE = 1 << 28 };
    uint32_t flags = RCC_CSR;
    if (flags & (1u << 29 | 1u << 30)) {
        cause = MMA_RESET_WATCHDOG;
    } else if (flags & SOFTWARE) {
        cause = MMA_RESET_SOFTWARE;
    } else if (flags & POWER) {
        cause = MMA_RESET_POWER;
    } else if (flags & BROWNOUT) {
        cause = MMA_RESET_BROWNOUT;
    } else if (flags & PIN) {
        cause = MMA_RESET_PIN;
    }
    RCC_CSR |= FORGET;
}

int mma_chip_reset_cause(void) { return cause; }

bool mma_stm32f4_is_silicon(void) { return (DBGMCU_IDCODE & 0xFFF) == 0x413; }

uint32_t mma_chip_entropy(void) {
    if (!mma_stm32f4_is_silicon()) {
        return 0;
    }
    RCC_AHB2ENR |= 1 << 6; // RM0090 24.3: true random numbers, 40 cycles of its clock each
    RNG_CR = 1 << 2;
    for (uint32_t tries = 1000; tries && !(RNG_SR & 1); tries--) {
    }
    return RNG_DR ^ UNIQUE_ID(0) ^ UNIQUE_ID(1) ^ UNIQUE_ID(2);
}

uint32_t mma_chip_unique_id(uint32_t words[MMA_UNIQUE_WORDS]) {
    if (!mma_stm32f4_is_silicon()) {
        return 0;
    }
    for (uint32_t i = 0; i < MMA_UNIQUE_WORDS; i++) {
        words[i] = UNIQUE_ID(i);
    }
    return MMA_UNIQUE_WORDS;
}

void mma_chip_watchdog_feed(void) {
#if MMA_WATCHDOG
    IWDG_KR = 0xAAAA;
#endif
}

static void start_watchdog(void) {
#if MMA_WATCHDOG
    DBGMCU_APB1_FZ |= 1 << 12; // not while a debugger has stopped the core
    IWDG_KR = 0x5555;
    IWDG_PR = 4;     // 32 kHz / 64
    IWDG_RLR = 2000; // 4 s; the kernel looks by at least ten times a second
    IWDG_KR = 0xCCCC;
    IWDG_KR = 0xAAAA;
#endif
}

void mma_chip_init(void) {
    read_cause();
    DBGMCU_CR |= 1; // a debugger can stay attached while the core sleeps
    mma_stm32f4_clock();
    mma_stm32f4_uart();
    start_watchdog();
}
