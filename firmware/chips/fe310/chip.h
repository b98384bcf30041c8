// Shared between the files of this chip.
#ifndef MMA_FE310_CHIP_H
#define MMA_FE310_CHIP_H

#include "chips/chip.h"

void mma_fe310_clock(void);
void mma_fe310_uart(void);
void mma_fe310_uart_interrupt(void);

// It is silicon: there mtime counts at 32768 Hz. Known after mma_fe310_clock.
bool mma_fe310_is_silicon(void);

// Wait for so many counts of mtime and a part of one.
void mma_fe310_wait(uint32_t ticks);

#endif
