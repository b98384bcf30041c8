// The chip's own vectors, as far as the kernel uses them (RM0090 table 62): the last one is the link's.
#include "registers.h"

void mma_usart_handler(void);
void mma_fault_handler(void);

__attribute__((section(".vectors.chip"), used)) static void (*const vectors[USART_IRQ + 1])(void) = {
    [0 ... USART_IRQ - 1] = mma_fault_handler, // none of them is ever enabled
    [USART_IRQ] = mma_usart_handler,
};
