// Shared between the files of this chip.
#ifndef MMA_STM32F4_CHIP_H
#define MMA_STM32F4_CHIP_H

#include "chips/chip.h"

void mma_stm32f4_clock(void);
void mma_stm32f4_uart(void);
uint32_t mma_stm32f4_uart_hz(void);
uint32_t mma_stm32f4_timer_hz(void); // of TIM2 to TIM7

// It is silicon: an STM32F405/407/415/417 tells its device id (RM0090 38.6.1), an emulator reads zero there.
// Only silicon has the factory's bytes in its system memory.
bool mma_stm32f4_is_silicon(void);

#endif
