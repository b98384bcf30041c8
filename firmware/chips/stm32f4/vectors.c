// The chip's own vectors, as far as the kernel uses them (RM0090 table 62): the link's, and edges of pins.
#include "registers.h"

void mma_usart_handler(void);
void mma_exti_handler(void);
void mma_fault_handler(void);

__attribute__((section(".vectors.chip"), used)) static void (*const vectors[41])(void) = {
    [0 ... 5] = mma_fault_handler, // as all those that are never enabled
    [6 ... 10] = mma_exti_handler,
    [11 ... 22] = mma_fault_handler,
    [23] = mma_exti_handler,
    [24 ... USART_IRQ - 1] = mma_fault_handler,
    [USART_IRQ] = mma_usart_handler,
    [USART_IRQ + 1 ... 39] = mma_fault_handler,
    [40] = mma_exti_handler,
};
