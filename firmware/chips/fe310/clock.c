// Clocks: 200 MHz out of the board's 16 MHz crystal. FE310-G002 Manual, chapter 6.
//
// Every wait ends by itself: an emulator may have no such registers, and a board without a crystal still runs, from
// the internal oscillator, though the link's rate is then only about right.
#include "arch/arch.h"
#include "arch/riscv/riscv.h"
#include "chip.h"
#include "registers.h"

#define TRIES 200000u
#define CRYSTAL_HZ 16000000u
#define INTERNAL_HZ 14400000u // 72 MHz / 5, as after reset
#define RTC_HZ 32768u
#define EMULATED_HZ 10000000u // mtime in QEMU; the page of the board makes Renode's the same

static uint32_t core_hz = INTERNAL_HZ;
static bool silicon;

static bool comes(volatile uint32_t *at, uint32_t mask) {
    for (uint32_t i = 0; i < TRIES; i++) {
        if (*at & mask) {
            return true;
        }
    }
    return false;
}

// The crystal, times 25 / 2: 16 MHz / 2 * 50 / 2.
static bool start_pll(void) {
    enum {
        READY = 1u << 31,
        ON = 1 << 30,
        R_2 = 1,
        F_50 = 24 << 4,
        Q_2 = 1 << 10,
        SELECTED = 1 << 16,
        FROM_CRYSTAL = 1 << 17,
        BYPASSED = 1 << 18,
        LOCKED = 1u << 31,
        UNDIVIDED = 1 << 8,
    };
    PRCI_HFROSCCFG |= ON;
    (void)comes(&PRCI_HFROSCCFG, READY);
    PRCI_PLLCFG &= ~(uint32_t)SELECTED; // a loader may have chosen it already
    PRCI_HFXOSCCFG |= ON;
    if (!comes(&PRCI_HFXOSCCFG, READY)) {
        return false;
    }
    QSPI_SCKDIV = 3; // 200 MHz / 8: 25 MHz, which every flash follows
    PRCI_PLLOUTDIV = UNDIVIDED;
    PRCI_PLLCFG = FROM_CRYSTAL | R_2 | F_50 | Q_2 | BYPASSED;
    PRCI_PLLCFG &= ~(uint32_t)BYPASSED;
    mma_fe310_wait(4); // the lock bit means nothing for the first 100 us
    if (!comes(&PRCI_PLLCFG, LOCKED)) {
        return false;
    }
    PRCI_PLLCFG |= SELECTED;
    return true;
}

// How often can it be looked at before it counts on? On silicon hundreds of times, even from a slow clock; an
// emulator's mtime is faster.
static uint32_t looks_per_tick(void) {
    uint64_t start = mma_clint_now();
    uint32_t looks = 0;
    while (mma_clint_now() == start) {
    }
    for (start = mma_clint_now(); mma_clint_now() == start && looks < TRIES; looks++) {
    }
    return looks;
}

void mma_fe310_wait(uint32_t ticks) {
    uint64_t until = mma_clint_now() + ticks + 1;
    while (mma_clint_now() < until) {
    }
}

void mma_fe310_clock(void) {
    if (start_pll()) {
        core_hz = CRYSTAL_HZ / 2 * 25;
    }
    silicon = looks_per_tick() > 50;
}

bool mma_fe310_is_silicon(void) { return silicon; }

uint32_t mma_chip_core_hz(void) { return core_hz; }

uint32_t mma_chip_mtime_hz(void) { return silicon ? RTC_HZ : EMULATED_HZ; }
