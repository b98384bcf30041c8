// Sensor 0: the chip's own temperature, thousandths of a degree Celsius. RM0090 13.10, at a supply of 3.3 V.
#include "arch/arch.h"
#include "chip.h"
#include "registers.h"

enum { SR_DONE = 1 << 1, CR2_ON = 1, CR2_START = 1 << 30, CCR_CLOCK = 1 << 16, CCR_SENSOR = 1 << 23 };
#define CHANNEL 16
#define TRIES 2000u // a conversion takes 24 us, 4000 cycles

static void turn_on(void) {
    if (ADC_CR2 & CR2_ON) {
        return;
    }
    RCC_APB2ENR |= 1 << 8;
    ADC_CCR = CCR_CLOCK | CCR_SENSOR; // 84 MHz / 4, at most 36
    ADC_SMPR1 = 7u << 18;             // 480 cycles: the sensor wants 10 us
    ADC_SQR3 = CHANNEL;
    ADC_CR2 = CR2_ON;
    uint64_t warm = mma_time() + 20;
    while (mma_time() < warm) {
    }
}

int mma_chip_sensor(uint8_t sensor, int32_t *value) {
    if (sensor != 0) {
        return MMA_ERR_NOENT;
    }
    turn_on();
    ADC_SR = 0;
    ADC_CR2 = CR2_ON | CR2_START;
    uint32_t tries = 0;
    while (!(ADC_SR & SR_DONE) && tries < TRIES) {
        tries++;
    }
    bool silicon = mma_stm32f4_is_silicon();
    if (tries == TRIES && silicon) { // QEMU converts, but never says that it is done
        return MMA_ERR_IO;
    }
    int32_t raw = (int32_t)(ADC_DR & 0xFFF);
    if (silicon) { // measured in the factory at 30 and 110 degrees
        *value = 30000 + (raw - TS_CAL1) * 80000 / (TS_CAL2 - TS_CAL1);
    } else { // typical: 0.76 V at 25 degrees, 2.5 mV per degree; a step is 805.664 uV
        *value = ((int32_t)((uint32_t)raw * 805664u / 1000u) - 760000) * 2 / 5 + 25000;
    }
    return 0;
}
