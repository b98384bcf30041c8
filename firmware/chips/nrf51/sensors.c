// Sensor 0: the chip's own temperature, thousandths of a degree Celsius. Reference manual, chapter 21.
#include "chip.h"
#include "registers.h"

#define TRIES 2000u // a measurement takes 35 us

int mma_chip_sensor(uint8_t sensor, int32_t *value) {
    if (sensor != 0) {
        return MMA_ERR_NOENT;
    }
    TEMP_DATARDY = 0;
    TEMP_START = 1;
    uint32_t tries = 0;
    while (!TEMP_DATARDY && tries < TRIES) {
        tries++;
    }
    *value = (int32_t)TEMP_TEMP * 250; // in quarters of a degree
    TEMP_STOP = 1;                     // or it goes on drawing current (anomaly 28)
    return tries < TRIES ? 0 : MMA_ERR_IO;
}
