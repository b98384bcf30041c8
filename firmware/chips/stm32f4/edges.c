// Edges of pins. RM0090 12: line N of the EXTI is pin N of one port, which SYSCFG chooses.
#include "arch/arch.h"
#include "arch/cortex_m/registers.h"
#include "chip.h"
#include "kernel/pins.h"
#include "registers.h"

static uint32_t interrupt_of(uint32_t line) { return line < 5 ? 6 + line : line < 10 ? 23 : 40; }

static uint32_t port_on(uint32_t line) { return SYSCFG_EXTICR(line) >> (line & 3) * 4 & 15; }

int mma_chip_gpio_edges(uint8_t pin, uint32_t edges) {
    uint32_t line = pin & 15u, port = pin >> 4, bit = 1u << line;
    RCC_APB2ENR |= 1 << 14; // SYSCFG
    if (EXTI_IMR & bit && port_on(line) != port) {
        return MMA_ERR_BUSY;
    }
    uint32_t before = mma_arch_lock();
    EXTI_IMR &= ~bit;
    SYSCFG_EXTICR(line) = (SYSCFG_EXTICR(line) & ~(15u << (line & 3) * 4)) | port << (line & 3) * 4;
    EXTI_RTSR = (EXTI_RTSR & ~bit) | (edges & MMA_EDGE_RISING ? bit : 0);
    EXTI_FTSR = (EXTI_FTSR & ~bit) | (edges & MMA_EDGE_FALLING ? bit : 0);
    EXTI_PR = bit; // written ones clear
    if (edges) {
        EXTI_IMR |= bit;
        mma_nvic_enable(interrupt_of(line));
    }
    mma_arch_unlock(before);
    return 0;
}

void mma_exti_handler(void) {
    uint32_t lines = EXTI_PR & EXTI_IMR;
    EXTI_PR = lines;
    while (lines) {
        uint32_t line = (uint32_t)__builtin_ctz(lines);
        lines &= lines - 1;
        mma_pin_edge((uint8_t)(port_on(line) << 4 | line));
    }
}
