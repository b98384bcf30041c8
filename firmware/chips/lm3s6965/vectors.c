// The chip's own vectors, as far as the kernel uses them (data sheet, table 4-2): the last one is the link's.
#include "registers.h"

void mma_uart_handler(void);
void mma_fault_handler(void);

__attribute__((section(".vectors.chip"), used)) static void (*const vectors[UART_IRQ + 1])(void) = {
    [0 ... UART_IRQ - 1] = mma_fault_handler, // none of the others is ever enabled
    [UART_IRQ] = mma_uart_handler,
};
