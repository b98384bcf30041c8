// Time from TIMER0, since this chip has no SysTick: 32 bits at the core's own 16 MHz, so one count is one cycle. It
// goes on while the core sleeps. Reference manual, chapter 18.
#include "arch/arch.h"
#include "arch/cortex_m/registers.h"
#include "chip.h"
#include "registers.h"

#define PER_US (MMA_NRF51_HZ / 1000000u)
#define LEAST 320u                // counts: an alarm is never nearer
#define MOST (1000000u * PER_US)  // nor farther: the watchdog wants to be fed, and the counter not to go round

enum { ALARM = 0, NOW = 1 }; // its compare registers

static uint64_t counted_us; // up to count `counted`
static uint32_t counted;
static uint64_t set_for; // the time of the alarm that is set

void mma_nrf51_timer(void) {
    TIMER_PRESCALER = 0;
    TIMER_BITMODE = 3; // 32 bits
    TIMER_INTENSET = 1u << (16 + ALARM);
    TIMER_START = 1;
    mma_nvic_enable(TIMER_IRQ);
}

uint32_t mma_cycles_per_us(void) { return PER_US; }

uint32_t mma_cycles(void) {
    uint32_t before = mma_arch_lock(); // an interrupt handler captures, too
    TIMER_CAPTURE(NOW) = 1;
    uint32_t now = TIMER_CC(NOW);
    mma_arch_unlock(before);
    return now;
}

uint64_t mma_time(void) {
    uint32_t before = mma_arch_lock();
    uint32_t passed = (mma_cycles() - counted) / PER_US;
    counted += passed * PER_US;
    counted_us += passed;
    uint64_t now = counted_us;
    mma_arch_unlock(before);
    return now;
}

void mma_alarm(uint64_t time) {
    if (time == set_for) {
        return;
    }
    uint32_t before = mma_arch_lock();
    uint64_t now = mma_time();
    uint32_t counts = LEAST;
    if (time > now) {
        counts = time - now < MOST / PER_US ? (uint32_t)(time - now) * PER_US : MOST;
        counts = counts < LEAST ? LEAST : counts;
    }
    set_for = time;
    TIMER_COMPARE(ALARM) = 0;
    TIMER_CC(ALARM) = counted + counts;
    if (mma_cycles() - counted >= counts) {
        NVIC_ISPR(0) = 1u << TIMER_IRQ; // it was passed meanwhile (an emulator's host may take long): at once
    }
    mma_arch_unlock(before);
}

void mma_timer_handler(void) {
    TIMER_COMPARE(ALARM) = 0;
    set_for = 0; // it was this one, or too far away
    mma_arch_wake();
}
