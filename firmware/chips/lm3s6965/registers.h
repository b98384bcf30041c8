// LM3S6965 registers that the kernel uses (Stellaris LM3S6965 Microcontroller Data Sheet, by chapter).
#ifndef MMA_LM3S6965_H
#define MMA_LM3S6965_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

// 5.5 system control
#define SYSCTL_RIS REGISTER(0x400FE050)
#define SYSCTL_RESC REGISTER(0x400FE05C)
#define SYSCTL_RCC REGISTER(0x400FE060)
#define SYSCTL_USER0 REGISTER(0x400FE1E0)
#define SYSCTL_USER1 REGISTER(0x400FE1E4)
#define SYSCTL_RCGC0 REGISTER(0x400FE100)
#define SYSCTL_RCGC1 REGISTER(0x400FE104)
#define SYSCTL_RCGC2 REGISTER(0x400FE108)

// 8.5 GPIO, port 0 = A; the address of the data holds the mask of the bits that are meant
#define GPIO(port, offset) REGISTER(((port) < 4 ? 0x40004000 : 0x40020000) + 0x1000 * (port) + (offset))
#define GPIO_DATA(port, bits) GPIO(port, (bits) << 2)
#define GPIO_DIR(port) GPIO(port, 0x400)
#define GPIO_AFSEL(port) GPIO(port, 0x420)
#define GPIO_PUR(port) GPIO(port, 0x510)
#define GPIO_PDR(port) GPIO(port, 0x514)
#define GPIO_DEN(port) GPIO(port, 0x51C)

// 10.4 watchdog
#define WDT_LOAD REGISTER(0x40000000)
#define WDT_CTL REGISTER(0x40000008)
#define WDT_ICR REGISTER(0x4000000C)
#define WDT_TEST REGISTER(0x40000418)

// 12.5 UART0
#define UART_DR REGISTER(0x4000C000)
#define UART_FR REGISTER(0x4000C018)
#define UART_IBRD REGISTER(0x4000C024)
#define UART_FBRD REGISTER(0x4000C028)
#define UART_LCRH REGISTER(0x4000C02C)
#define UART_CTL REGISTER(0x4000C030)
#define UART_IM REGISTER(0x4000C038)
#define UART_ICR REGISTER(0x4000C044)
#define UART_IRQ 5

#endif
