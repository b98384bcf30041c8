// The platform-level interrupt controller. FE310-G002 Manual, chapter 10.
#include "arch/riscv/riscv.h"
#include "chip.h"
#include "registers.h"

void mma_chip_interrupt(void) {
    uint32_t source;
    while ((source = PLIC_CLAIM)) {
        if (source == UART0_IRQ) {
            mma_fe310_uart_interrupt();
        }
        PLIC_CLAIM = source; // done
    }
}
