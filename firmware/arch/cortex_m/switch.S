// Between the kernel and an executor.
//
// The kernel is in thread mode, privileged, on the main stack. To enter an executor it makes an SVC: the handler
// loads the executor's registers and returns to thread mode, unprivileged, on the process stack. Whatever takes
// the executor off the CPU (its own SVC, a fault, PendSV) ends in `leave`: it saves the registers and returns to
// where the kernel made its SVC, with the reason as that call's result.
//
// What an executor leaves in floating point registers is cleared, since the next one can read them.

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

#define FUNCTION(name) .section .text.name, "ax"; .balign 4; .global name; .type name, %function; .thumb_func; name:
#define END(name) .size name, . - name

// enum mma_leave mma_arch_enter(struct mma_context *)
FUNCTION(mma_arch_enter)
    push {r4-r11, lr}
    svc #0
    pop {r4-r11, pc}
END(mma_arch_enter)

FUNCTION(mma_svc_handler)
    tst lr, #4
    bne 2f
    ldr r0, [sp]                // the kernel's r0: whom to enter
    ldr r1, =mma_context_now
    str r0, [r1]
    ldr r2, [r0, #SP_OFFSET]
    msr psp, r2
    ldr lr, [r0, #RETURN_OFFSET]
    add r1, r0, #REGISTERS_OFFSET
    ldmia r1, {r4-r11}
#if MMA_FPU
    tst lr, #0x10
    bne 1f
    .fpu fpv4-sp-d16
    sub r2, r2, #FLOATS
    vldmia r2, {s16-s31}
1:
#endif
    mrs r1, control
    orr r1, r1, #1
    msr control, r1
    ldr r1, =mma_woken          // work that came up since the kernel looked: then leave at once
    ldrb r1, [r1]
    cbz r1, 3f
    ldr r1, =0xE000ED04
    mov r2, #(1 << 28)
    str r2, [r1]
3:  bx lr
2:  mov r3, #CALL
    b mma_leave
END(mma_svc_handler)

FUNCTION(mma_pendsv_handler)
    tst lr, #4
    it eq
    bxeq lr                     // it was the kernel that was interrupted: it looks by itself
    mov r3, #PREEMPTED
    b mma_leave
END(mma_pendsv_handler)

FUNCTION(mma_fault_handler)
    tst lr, #4
    beq 1f
#if MMA_MPU
    // If the stack pointer was what is wrong, this fault came while another exception was being entered, and that
    // one (SVC, or another fault) is still pending. It would hit the kernel now.
    ldr r1, =0xE000ED24
    ldr r2, [r1]
    bic r2, r2, #0xF000
    str r2, [r1]
#endif
    mov r3, #FAULT
    b mma_leave
1:  mov r0, sp                  // the kernel's own fault, which may be that it has no stack left: begin a new one
    mov r1, lr
    ldr r2, =mma_stack_high
    mov sp, r2
    b mma_kernel_fault
END(mma_fault_handler)

FUNCTION(mma_leave)
    ldr r0, =mma_context_now
    ldr r0, [r0]
    mrs r1, psp
    str r1, [r0, #SP_OFFSET]
    str lr, [r0, #RETURN_OFFSET]
    add r2, r0, #REGISTERS_OFFSET
    stmia r2, {r4-r11}
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
    bic r1, r1, #1
    msr control, r1
    str r3, [sp]                // the kernel's r0
    mvn lr, #6                  // 0xFFFFFFF9: thread mode, main stack, no floating point frame
    bx lr
END(mma_leave)

#if MMA_FPU
    .section .rodata.mma_zeros, "a"
    .balign 4
mma_zeros:
    .space 128
#endif
