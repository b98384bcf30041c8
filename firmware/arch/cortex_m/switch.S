// Between the kernel and an executor.
//
// The kernel is in thread mode, privileged, on the main stack. To enter an executor it makes an SVC: the handler
// loads the executor's registers and returns to thread mode, unprivileged, on the process stack. Whatever takes
// the executor off the CPU (its own SVC, a fault, PendSV) ends in `leave`: it saves the registers and returns to
// where the kernel made its SVC, with the reason as that call's result.
//
// What an executor leaves in floating point registers is cleared, since the next one can read them.
//
// Written in the instructions of ARMv6-M, which every Cortex-M has, but where there are floating point registers.

#include "kernel/config.h"

    .syntax unified
    .thumb
    .text

#define CALL 1
#define PREEMPTED 2
#define FAULT 3

#define SP_OFFSET 0
#define RETURN_OFFSET 4
#define REGISTERS_OFFSET 8
#define LIMIT_OFFSET 40
#define FLOATS 64

#define ON_PROCESS_STACK 4 // in EXC_RETURN

#define FUNCTION(name) .section .text.name, "ax"; .balign 4; .global name; .type name, %function; .thumb_func; name:
#define END(name) .size name, . - name

// Was it an executor that the exception interrupted? Then `ne`. Changes r0 and r1.
.macro TEST_EXECUTOR
    mov r0, lr
    movs r1, #ON_PROCESS_STACK
    tst r0, r1
.endm

.macro LOW_TO_HIGH
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
.endm

.macro HIGH_TO_LOW
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
.endm

// enum mma_leave mma_arch_enter(struct mma_context *)
FUNCTION(mma_arch_enter)
    push {r4-r7, lr}
    HIGH_TO_LOW
    push {r4-r7}
    svc #0
    pop {r4-r7}
    LOW_TO_HIGH
    pop {r4-r7, pc}
END(mma_arch_enter)

FUNCTION(mma_svc_handler)
    TEST_EXECUTOR
    bne 2f
    ldr r0, [sp]                // the kernel's r0: whom to enter
    ldr r1, =mma_context_now
    str r0, [r1]
    ldr r2, [r0, #SP_OFFSET]
    msr psp, r2
    ldr r1, [r0, #RETURN_OFFSET]
    mov lr, r1
    movs r1, #REGISTERS_OFFSET + 16
    add r1, r0
    ldmia r1!, {r4-r7}
    LOW_TO_HIGH
    subs r1, #32
    ldmia r1!, {r4-r7}
#if MMA_FPU
    tst lr, #0x10
    bne 1f
    .fpu fpv4-sp-d16
    sub r2, r2, #FLOATS
    vldmia r2, {s16-s31}
1:
#endif
    mrs r1, control
    movs r2, #1                 // unprivileged; a core without privileges ignores it
    orrs r1, r2
    msr control, r1
    ldr r1, =mma_woken          // work that came up since the kernel looked: then leave at once
    ldrb r1, [r1]
    cmp r1, #0
    beq 3f
    ldr r1, =0xE000ED04
    ldr r2, =1 << 28
    str r2, [r1]
3:  bx lr
2:  movs r3, #CALL
    b mma_leave
END(mma_svc_handler)

FUNCTION(mma_pendsv_handler)
    TEST_EXECUTOR
    bne 1f
    bx lr                       // it was the kernel that was interrupted: it looks by itself
1:  movs r3, #PREEMPTED
    b mma_leave
END(mma_pendsv_handler)

FUNCTION(mma_fault_handler)
    TEST_EXECUTOR
    beq 1f
#if MMA_MPU
    // If the stack pointer was what is wrong, this fault came while another exception was being entered, and that
    // one (SVC, or another fault) is still pending. It would hit the kernel now.
    ldr r1, =0xE000ED24
    ldr r2, [r1]
    bic r2, r2, #0xF000
    str r2, [r1]
#endif
    movs r3, #FAULT
    b mma_leave
1:  mov r0, sp                  // the kernel's own fault, which may be that it has no stack left: then begin a new one
    mov r1, lr
    ldr r2, =mma_stack_high
    ldr r3, =mma_stack_low
    adds r3, #255               // more than what follows takes
    cmp r0, r3
    blo 2f
    cmp r0, r2
    blo 3f                      // there is room: what was stacked stays, for the crash record
2:  mov sp, r2
3:  ldr r2, =mma_kernel_fault
    bx r2
END(mma_fault_handler)

#if MMA_SYSTICK
FUNCTION(mma_systick_handler)
    mov r0, sp                  // the frame of what was interrupted, if that was the kernel
    mov r1, lr
    b mma_systick
END(mma_systick_handler)
#endif

FUNCTION(mma_leave)
    ldr r0, =mma_context_now
    ldr r0, [r0]
    mrs r1, psp
    str r1, [r0, #SP_OFFSET]
    mov r2, lr
    str r2, [r0, #RETURN_OFFSET]
    movs r2, #REGISTERS_OFFSET
    add r2, r0
    stmia r2!, {r4-r7}
    HIGH_TO_LOW
    stmia r2!, {r4-r7}
#if MMA_FPU
    tst lr, #0x10
    bne 1f
    sub r2, r1, #FLOATS
    ldr r12, [r0, #LIMIT_OFFSET]
    cmp r2, r12
    ite hs
    vstmiahs r2, {s16-s31}
    movlo r3, #FAULT            // no room for them: its stack has overflowed
    ldr r2, =mma_zeros
    vldmia r2, {s0-s31}
1:
#endif
    mrs r1, control
    movs r2, #1
    bics r1, r2
    msr control, r1
    str r3, [sp]                // the kernel's r0
    ldr r0, =0xFFFFFFF9         // thread mode, main stack, no floating point frame
    bx r0
END(mma_leave)

#if MMA_FPU
    .section .rodata.mma_zeros, "a"
    .balign 4
mma_zeros:
    .space 128
#endif
