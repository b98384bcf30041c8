// The MPU's registers (ARMv7-M Architecture Reference Manual, B3.5.5 on). plan.c decides what they hold.
#include "arch/arch.h"
#include "registers.h"

#if MMA_MPU

enum {
    RBAR_VALID = 1 << 4,
    RASR_ENABLE = 1,
    RASR_SRAM = 6 << 16,            // shareable, cacheable: what the manual recommends for internal SRAM
    RASR_CODE = 2 << 24,            // the kernel writes, others read and execute
    RASR_DATA = 3 << 24 | 1 << 28,  // all write, nobody executes
    CTRL_ON_FOR_OTHERS = 1 | 1 << 2 // the kernel keeps the default map
};

void mma_arch_protect(const struct mma_protection *protection) {
    MPU_CTRL = 0;
    for (uint32_t i = 0; i < MMA_REGIONS; i++) {
        uint32_t where = protection->where[i], what = protection->what[i];
        if (!what) {
            MPU_RNR = i;
            MPU_RASR = 0;
            continue;
        }
        MPU_RBAR = (where & ~0xFFu) | RBAR_VALID | i;
        MPU_RASR = RASR_ENABLE | ((what & 0x1F) - 1) << 1 | (where & 0xFF) << 8 | RASR_SRAM |
                   (uint32_t)(what & 0x80 ? RASR_CODE : RASR_DATA);
    }
    MPU_CTRL = CTRL_ON_FOR_OTHERS;
    __asm volatile("dsb\n\tisb" ::: "memory");
}

#else

bool mma_arch_plan(struct mma_protection *protection, const struct mma_run *code, const struct mma_run *data,
                   uint32_t slack) {
    (void)code;
    (void)data;
    (void)slack;
    protection->none = 0;
    return true;
}

void mma_arch_protect(const struct mma_protection *protection) { (void)protection; }

#endif
