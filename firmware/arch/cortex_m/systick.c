// Time from SysTick, where the chip has one: a 24-bit counter at the core's clock that counts down, reloads, and
// interrupts. It is both clock and alarm: setting an alarm first adds what has been counted so far.
#include "arch/arch.h"
#include "chips/chip.h"
#include "kernel/config.h"
#include "kernel/kept.h"
#include "registers.h"

#if MMA_SYSTICK

#define MOST 0xFFFFFFu
#define LEAST 500u // cycles: an alarm is never nearer
#define RESTART 12u // cycles that pass, uncounted, while the counter is set anew

static uint64_t counted_us;    // up to when the counter was last set or reloaded
static uint32_t counted_rest;  // cycles beyond it, less than a microsecond
static uint32_t counted_cycles;
static uint64_t set_for;       // the time of the alarm that is set

uint32_t mma_cycles_per_us(void) {
    static uint32_t ratio;
    if (!ratio) {
        ratio = mma_chip_core_hz() / 1000000;
    }
    return ratio;
}

static void count(uint32_t cycles) {
    uint32_t ratio = mma_cycles_per_us();
    counted_cycles += cycles;
    counted_rest += cycles;
    counted_us += counted_rest / ratio;
    counted_rest %= ratio;
}

// Cycles since the counter was set or its last reload that was counted. Interrupts are off.
static uint32_t uncounted(void) {
    uint32_t load = SYST_RVR, value = SYST_CVR, reloaded = 0;
    if (SCB_ICSR & ICSR_PENDSTSET) {
        value = SYST_CVR; // perhaps read before the reload: now it is surely after it
        reloaded = load + 1;
    }
    return reloaded + (value ? load + 1 - value : 0);
}

uint64_t mma_time(void) {
    uint32_t before = mma_arch_lock();
    uint64_t now = counted_us + (counted_rest + uncounted()) / mma_cycles_per_us();
    mma_arch_unlock(before);
    return now;
}

uint32_t mma_cycles(void) {
    uint32_t before = mma_arch_lock();
    uint32_t now = counted_cycles + uncounted();
    mma_arch_unlock(before);
    return now;
}

void mma_alarm(uint64_t time) {
    if (time == set_for && SYST_CSR) {
        return;
    }
    uint32_t before = mma_arch_lock();
    if (SYST_CSR & 1) {
        count(uncounted() + RESTART);
    }
    uint32_t ratio = mma_cycles_per_us(), cycles = MOST;
    if (time <= counted_us) {
        cycles = LEAST;
    } else if (time - counted_us < MOST / ratio) {
        cycles = (uint32_t)(time - counted_us) * ratio - counted_rest;
        cycles = cycles < LEAST ? LEAST : cycles;
    }
    set_for = time;
    SYST_RVR = cycles - 1;
    SYST_CVR = 0; // reloads with the next cycle, and forgets a reload that was due
    SCB_ICSR = ICSR_PENDSTCLR;
    SYST_CSR = 7; // on, interrupts, core clock
    mma_arch_unlock(before);
}

_Noreturn void mma_kernel_fault(uint32_t sp, uint32_t exception_return);

// By way of switch.S, which knows the stack pointer that the interrupt found.
void mma_systick(uint32_t sp, uint32_t exception_return) {
    uint32_t before = mma_arch_lock();
    count(SYST_RVR + 1);
    set_for = 0; // the alarm was this one, or too far away for one round of the counter
    mma_arch_unlock(before);
    if (!(exception_return & 4) && mma_kept_hangs(counted_us)) {
        mma_kernel_fault(sp, exception_return);
    }
    mma_arch_wake();
}

#endif
