// Why the board started, its watchdog, and restarting it: all in the part of the chip that is always on.
// FE310-G002 Manual, chapters 13 to 15.
#include "arch/riscv/riscv.h"
#include "chip.h"
#include "kernel/config.h"
#include "registers.h"

enum {
    SCALE_4 = 2,          // 32768 Hz / 4
    RESETS = 1 << 8,
    ALWAYS = 1 << 12,     // counts while the core sleeps, too
    KEY = 0x51F15E,       // before each write
    FOOD = 0xD09F00D,
};
#define PATIENCE (4 * 32768 / 4) // 4 s; the kernel looks by at least seven times a second

_Noreturn void mma_reset(void);

static int cause = -1;

static void watchdog_write(volatile uint32_t *at, uint32_t value) {
    AON_WDOGKEY = KEY;
    *at = value;
}

int mma_chip_reset_cause(void) { return cause; }

uint32_t mma_chip_entropy(void) { return 0; }

uint32_t mma_chip_unique_id(uint32_t words[MMA_UNIQUE_WORDS]) {
    (void)words;
    return 0;
}

void mma_chip_watchdog_feed(void) {
#if MMA_WATCHDOG
    watchdog_write(&AON_WDOGFEED, FOOD);
#endif
}

void mma_chip_restart(void) {
    mma_fe310_wait(4); // until the link's last byte has left its shift register, 87 us
    if (mma_fe310_is_silicon()) {
        // The watchdog is the only way to reset all of the chip: let its time be over.
        watchdog_write(&AON_WDOGCMP, 0);
        watchdog_write(&AON_WDOGCFG, RESETS | ALWAYS);
        mma_fe310_wait(2000);
    }
    mma_reset(); // an emulator without a watchdog: begin anew, everything is set up by start-up
}

void mma_chip_init(void) {
    enum { POWER = 0, PIN = 1, WATCHDOG = 2 };
    mma_fe310_clock();
    if (mma_fe310_is_silicon()) {
        uint32_t why = AON_PMUCAUSE >> 8 & 3;
        cause = why == POWER ? MMA_RESET_POWER : why == PIN ? MMA_RESET_PIN : MMA_RESET_WATCHDOG;
#if MMA_WATCHDOG
        watchdog_write(&AON_WDOGCOUNT, 0);
        watchdog_write(&AON_WDOGCMP, PATIENCE);
        watchdog_write(&AON_WDOGCFG, SCALE_4 | RESETS | ALWAYS);
#endif
    }
    PLIC_THRESHOLD = 0;
    PLIC_CLAIM = UART0_IRQ; // served, should the last kernel have died over it
    mma_fe310_uart();
}
