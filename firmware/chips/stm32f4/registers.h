// STM32F405/407 registers that the kernel uses (ST RM0090, section by section).
#ifndef MMA_STM32F4_H
#define MMA_STM32F4_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

// 6.3 RCC
#define RCC_CR REGISTER(0x40023800)
#define RCC_PLLCFGR REGISTER(0x40023804)
#define RCC_CFGR REGISTER(0x40023808)
#define RCC_AHB1ENR REGISTER(0x40023830)
#define RCC_AHB2ENR REGISTER(0x40023834)
#define RCC_APB1ENR REGISTER(0x40023840)
#define RCC_APB2ENR REGISTER(0x40023844)
#define RCC_CSR REGISTER(0x40023874)

// 3.9 flash interface, 5.4 power
#define FLASH_ACR REGISTER(0x40023C00)
#define PWR_CR REGISTER(0x40007000)
#define PWR_CSR REGISTER(0x40007004)

// 8.4 GPIO, port 0 = A
#define GPIO(port, offset) REGISTER(0x40020000 + 0x400 * (port) + (offset))
#define GPIO_MODER(port) GPIO(port, 0x00)
#define GPIO_OSPEEDR(port) GPIO(port, 0x08)
#define GPIO_PUPDR(port) GPIO(port, 0x0C)
#define GPIO_IDR(port) GPIO(port, 0x10)
#define GPIO_ODR(port) GPIO(port, 0x14)
#define GPIO_BSRR(port) GPIO(port, 0x18)
#define GPIO_AFRL(port) GPIO(port, 0x20)

#define GPIO_AFR(port, pin) GPIO(port, 0x20 + 4 * ((pin) >> 3))

// 9.2 SYSCFG, 12.3 EXTI
#define SYSCFG_EXTICR(line) REGISTER(0x40013808 + 4 * ((line) >> 2))
#define EXTI_IMR REGISTER(0x40013C00)
#define EXTI_RTSR REGISTER(0x40013C08)
#define EXTI_FTSR REGISTER(0x40013C0C)
#define EXTI_PR REGISTER(0x40013C14)

// 18.4 TIM2 to TIM5
#define TIM(n, offset) REGISTER(0x40000000 + 0x400 * ((n) - 2) + (offset))
#define TIM_CR1(n) TIM(n, 0x00)
#define TIM_EGR(n) TIM(n, 0x14)
#define TIM_CCMR(n, channel) TIM(n, 0x18 + 4 * ((channel) >> 1))
#define TIM_CCER(n) TIM(n, 0x20)
#define TIM_PSC(n) TIM(n, 0x28)
#define TIM_ARR(n) TIM(n, 0x2C)
#define TIM_CCR(n, channel) TIM(n, 0x34 + 4 * (channel))

// 13.13 ADC1 and the common registers
#define ADC_SR REGISTER(0x40012000)
#define ADC_CR1 REGISTER(0x40012004)
#define ADC_CR2 REGISTER(0x40012008)
#define ADC_SMPR1 REGISTER(0x4001200C)
#define ADC_SQR1 REGISTER(0x4001202C)
#define ADC_SQR3 REGISTER(0x40012034)
#define ADC_DR REGISTER(0x4001204C)
#define ADC_CCR REGISTER(0x40012304)

// 30.6 USART1
#define USART_SR REGISTER(0x40011000)
#define USART_DR REGISTER(0x40011004)
#define USART_BRR REGISTER(0x40011008)
#define USART_CR1 REGISTER(0x4001100C)
#define USART_IRQ 37

// 21.4 IWDG
#define IWDG_KR REGISTER(0x40003000)
#define IWDG_PR REGISTER(0x40003004)
#define IWDG_RLR REGISTER(0x40003008)

// 38.16 debug: the device's identity, and what stops when the core does
#define DBGMCU_IDCODE REGISTER(0xE0042000)
#define DBGMCU_CR REGISTER(0xE0042004)
#define DBGMCU_APB1_FZ REGISTER(0xE0042008)

// 24.4 random numbers
#define RNG_CR REGISTER(0x50060800)
#define RNG_SR REGISTER(0x50060804)
#define RNG_DR REGISTER(0x50060808)

// 39.1 unique id; STM32F405 data sheet (DS8626) 5.3.23: the temperature sensor's calibration
#define UNIQUE_ID(n) REGISTER(0x1FFF7A10 + 4 * (n))
#define TS_CAL1 (*(volatile uint16_t *)(uintptr_t)0x1FFF7A2C)
#define TS_CAL2 (*(volatile uint16_t *)(uintptr_t)0x1FFF7A2E)

#endif
