// The device's key. By itself in a file, so that no compiler folds it into the code: a built image gets another one
// (docs/security.md).
#include "kernel/auth.h"

__attribute__((used, nonstring, section(".rodata.mma_device_key"))) const uint8_t mma_device_key[MMA_DEVICE_KEY] =
    "mma development key, open to all";
