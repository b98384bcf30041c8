// The link: USART1 on PB6 and PB7 (on the STM32F4DISCOVERY its other pins belong to USB). RM0090 30.
#include "arch/cortex_m/registers.h"
#include "chip.h"
#include "kernel/link.h"
#include "registers.h"

#ifndef MMA_BAUD
#define MMA_BAUD 115200
#endif

enum {
    SR_OVERRUN = 1 << 3,
    SR_RECEIVED = 1 << 5,
    SR_COMPLETE = 1 << 6,
    SR_EMPTY = 1 << 7,
    CR1_RECEIVE = 1 << 2 | 1 << 5, // RE, RXNEIE
    CR1_TRANSMIT = 1 << 3,
    CR1_EMPTY_INTERRUPT = 1 << 7,
    CR1_ON = 1 << 13,
};

void mma_stm32f4_uart(void) {
    RCC_AHB1ENR |= 1 << 1; // port B
    RCC_APB2ENR |= 1 << 4; // USART1
    GPIO_AFRL(1) = (GPIO_AFRL(1) & ~(0xFFu << 24)) | 0x77u << 24;
    GPIO_PUPDR(1) = (GPIO_PUPDR(1) & ~(3u << 14)) | 1u << 14; // an open input must not chatter
    GPIO_MODER(1) = (GPIO_MODER(1) & ~(0xFu << 12)) | 0xAu << 12;
    USART_BRR = (mma_stm32f4_uart_hz() + MMA_BAUD / 2) / MMA_BAUD;
    USART_CR1 = CR1_ON | CR1_TRANSMIT | CR1_RECEIVE;
    mma_nvic_enable(USART_IRQ);
}

void mma_chip_uart_send(void) {
    // As long as there is room: on silicon two bytes, then the interrupt goes on. QEMU before 8.2 has no such
    // interrupt, but always room.
    while (USART_SR & SR_EMPTY) {
        int byte = mma_link_next();
        if (byte < 0) {
            USART_CR1 &= ~(uint32_t)CR1_EMPTY_INTERRUPT;
            return;
        }
        USART_DR = (uint32_t)byte;
    }
    USART_CR1 |= CR1_EMPTY_INTERRUPT;
    mma_chip_uart_receive(); // it is one interrupt for both
}

void mma_chip_uart_receive(void) { NVIC_ISER(USART_IRQ / 32) = 1u << USART_IRQ % 32; }

bool mma_chip_uart_drained(void) { return USART_SR & SR_COMPLETE; }

void mma_usart_handler(void) {
    uint32_t status = USART_SR;
    if ((status & SR_RECEIVED) && !(USART_CR1 & CR1_EMPTY_INTERRUPT) && mma_link_full()) {
        NVIC_ICER(USART_IRQ / 32) = 1u << USART_IRQ % 32; // not RXNEIE: QEMU would not interrupt again after that
    } else if (status & (SR_RECEIVED | SR_OVERRUN)) {
        uint8_t byte = (uint8_t)USART_DR; // reading it clears both
        if (status & SR_RECEIVED) {
            mma_link_receive(byte);
        }
        if (status & SR_OVERRUN) {
            mma_link_lost();
        }
    }
    if (USART_CR1 & CR1_EMPTY_INTERRUPT) {
        mma_chip_uart_send();
    }
}
