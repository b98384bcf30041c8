// Who may change something on this device: whoever has its key.
#ifndef MMA_AUTH_H
#define MMA_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/coap.h"

#define MMA_DEVICE_KEY 32
#define MMA_KEY_ID 4
#define MMA_PROOF (4 + 8) // a counter, and the first bytes of the HMAC

// key.c; hal/keys.py replaces it in a built image.
extern const uint8_t mma_device_key[MMA_DEVICE_KEY];
bool mma_key_is_open(void); // it is the development key, which anybody knows
void mma_key_id(uint8_t id[MMA_KEY_ID]);

// Does the request prove that it comes from who has the key, is meant for this boot, and came never before?
bool mma_proven(const struct mma_coap *request);
// Of the last request that did.
uint32_t mma_proof_counter(void);

#endif
