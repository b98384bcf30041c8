// The CoAP server: messages in, answers and notifications out.
#ifndef MMA_SERVER_H
#define MMA_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cbor.h"
#include "kernel/coap.h"

// What a resource answers. The payload goes through `out`; the server makes blocks of it.
struct mma_reply {
    struct mma_out out;
    uint16_t format;
    uint8_t code;
    uint8_t created;  // for 2.01: the slot's digit, in Location-Path
    bool observed;    // the requester was registered: the answer carries Observe
    bool acknowledges; // the answer repeats the request's Block1
};

// resources.c: find the resource and let it answer.
void mma_resource(const struct mma_coap *request, struct mma_reply *reply);
void mma_resource_state(struct mma_out *out); // GET /s, for notifications
void mma_refuse(struct mma_reply *reply, int error, uint32_t missing, uint32_t largest);

// executors.c: the resources under /x.
void mma_resource_executors(const struct mma_coap *request, struct mma_reply *reply);
void mma_resource_executor(const struct mma_coap *request, struct mma_reply *reply);

struct mma_server_counts {
    uint32_t repeated;  // requests answered from memory
    uint32_t again;     // notifications sent again
};
extern struct mma_server_counts mma_server_counts;

// A frame with a right FCS, which is `fcs`: two frames with the same message id and FCS are the same request.
void mma_server_frame(const uint8_t *message, uint32_t length, uint32_t fcs);

// Something in /s changed: the observer is to be told.
void mma_server_changed(void);

// A line of text to whoever listens on the line.
void mma_server_text(const char *text, uint32_t length);

// Restart the board once the answer is on its way.
void mma_server_restart(void);

// Do what is due. Gives the time when something else will be, microseconds since boot.
uint64_t mma_server_poll(uint64_t now);

// Observers of /s (one): the server keeps what is needed to notify.
void mma_server_observe(const struct mma_coap *request, bool wanted);

// A number that differs from boot to boot; drawn when first asked for.
uint32_t mma_boot_id(void);

#endif
