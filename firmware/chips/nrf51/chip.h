// Shared between the files of this chip.
#ifndef MMA_NRF51_CHIP_H
#define MMA_NRF51_CHIP_H

#include "chips/chip.h"

#define MMA_NRF51_HZ 16000000u

void mma_nrf51_timer(void);
void mma_nrf51_uart(void);

#endif
