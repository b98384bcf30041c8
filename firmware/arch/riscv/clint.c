// Time from the core-local interruptor: mtime counts on whatever the core does, mtimecmp is the alarm.
#include "arch/arch.h"
#include "chips/chip.h"
#include "riscv.h"

#define MTIMECMP_LOW MMA_REGISTER(0x02004000)
#define MTIMECMP_HIGH MMA_REGISTER(0x02004004)
#define MTIME_LOW MMA_REGISTER(0x0200BFF8)
#define MTIME_HIGH MMA_REGISTER(0x0200BFFC)

#define FAST 1000000u // Hz, from which on mtime counts in less than microseconds
#define MOST 131071u  // microseconds: an alarm is never farther, so that they fit 32 bits times 32768 Hz

uint64_t mma_clint_now(void) {
    uint32_t high, low;
    do {
        high = MTIME_HIGH;
        low = MTIME_LOW;
    } while (high != MTIME_HIGH);
    return low | (uint64_t)high << 32;
}

// By 16-bit digits: the core divides 32 by 32 bits.
static uint64_t divide(uint64_t value, uint32_t by) {
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (int digit = 48; digit >= 0; digit -= 16) {
        rest = rest << 16 | (uint32_t)(value >> digit & 0xFFFF);
        quotient = quotient << 16 | rest / by;
        rest %= by;
    }
    return quotient;
}

uint64_t mma_time(void) {
    uint64_t now = mma_clint_now();
    uint32_t hz = mma_chip_mtime_hz();
    return hz >= FAST ? divide(now, hz / 1000000) : divide(now * 15625, hz / 64);
}

uint32_t mma_cycles_per_us(void) { return mma_chip_core_hz() / 1000000; }

uint32_t mma_cycles(void) {
    // Where mtime is fast it is an emulator's, and mcycle may count its host's cycles.
    uint32_t hz = mma_chip_mtime_hz();
    return hz >= FAST ? MTIME_LOW * (mma_chip_core_hz() / hz) : MMA_CSR_READ("mcycle");
}

void mma_alarm(uint64_t time) {
    uint64_t now = mma_time();
    uint32_t wait = time <= now ? 0 : time - now < MOST ? (uint32_t)(time - now) : MOST;
    uint32_t hz = mma_chip_mtime_hz();
    uint32_t ticks = hz >= FAST ? wait * (hz / 1000000) : wait * hz / 1000000;
    uint64_t at = mma_clint_now() + ticks + 1;
    MTIMECMP_HIGH = UINT32_MAX; // no alarm while half of it is set
    MTIMECMP_LOW = (uint32_t)at;
    MTIMECMP_HIGH = (uint32_t)(at >> 32);
}

void mma_timer_interrupt(void) {
    MTIMECMP_HIGH = UINT32_MAX; // until the next one is set
    mma_arch_wake();
}
