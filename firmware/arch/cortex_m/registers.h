// The system control space of Cortex-M (ARMv7-M Architecture Reference Manual, B3.2).
#ifndef MMA_REGISTERS_H
#define MMA_REGISTERS_H

#include <stdint.h>

#define MMA_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SYST_CSR MMA_REGISTER(0xE000E010)
#define SYST_RVR MMA_REGISTER(0xE000E014)
#define SYST_CVR MMA_REGISTER(0xE000E018)

#define NVIC_ISER(n) MMA_REGISTER(0xE000E100 + 4 * (n))
#define NVIC_ICER(n) MMA_REGISTER(0xE000E180 + 4 * (n))
#define NVIC_ISPR(n) MMA_REGISTER(0xE000E200 + 4 * (n))
#define NVIC_IPR(n) MMA_REGISTER(0xE000E400 + 4 * (n)) // by words: ARMv6-M has no other access

#define SCB_ICSR MMA_REGISTER(0xE000ED04)
#define SCB_AIRCR MMA_REGISTER(0xE000ED0C)
#define SCB_SHPR2 MMA_REGISTER(0xE000ED1C)
#define SCB_SHPR3 MMA_REGISTER(0xE000ED20)
#define SCB_SHCSR MMA_REGISTER(0xE000ED24)
#define SCB_CFSR MMA_REGISTER(0xE000ED28)
#define SCB_HFSR MMA_REGISTER(0xE000ED2C)
#define SCB_MMFAR MMA_REGISTER(0xE000ED34)
#define SCB_BFAR MMA_REGISTER(0xE000ED38)
#define SCB_CPACR MMA_REGISTER(0xE000ED88)
#define FPU_FPCCR MMA_REGISTER(0xE000EF34)

#define MPU_TYPE MMA_REGISTER(0xE000ED90)
#define MPU_CTRL MMA_REGISTER(0xE000ED94)
#define MPU_RNR MMA_REGISTER(0xE000ED98)
#define MPU_RBAR MMA_REGISTER(0xE000ED9C)
#define MPU_RASR MMA_REGISTER(0xE000EDA0)

#define MMA_DEVICE_PRIORITY 0x80u // above PendSV and SVC, on cores with two bits of priority, too

enum {
    ICSR_PENDSVSET = 1 << 28,
    ICSR_PENDSTSET = 1 << 26,
    ICSR_PENDSTCLR = 1 << 25,
    AIRCR_RESET = 0x05FA0004,
    SHCSR_FAULTS = 7 << 16, // UsageFault, BusFault, MemManage
    CFSR_MMARVALID = 1 << 7,
    CFSR_BFARVALID = 1 << 15,
    CFSR_STACKING = 1 << 4 | 1 << 12, // the exception's own frame could not be written
    FPCCR_ASPEN = 1u << 31,
    FPCCR_LSPEN = 1 << 30,
};

// Let a device interrupt, at the priority that all of ours have.
static inline void mma_nvic_enable(uint32_t irq) {
    NVIC_IPR(irq / 4) = (NVIC_IPR(irq / 4) & ~(0xFFu << irq % 4 * 8)) | MMA_DEVICE_PRIORITY << irq % 4 * 8;
    NVIC_ISER(irq / 32) = 1u << irq % 32;
}

#endif
