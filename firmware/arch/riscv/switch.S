// Reset, traps, and the way between the kernel and an executor.
//
// The kernel runs in machine mode on its own stack, executors in user mode on theirs, with mscratch at their record;
// mscratch is zero while the kernel runs. Every trap out of an executor stores all its registers there. An interrupt
// is served at once, on the kernel's stack; the executor goes on after it unless somebody said mma_arch_wake. For all
// else mma_arch_enter returns to the kernel, with the reason as its result.

#define CALL 1
#define PREEMPTED 2
#define FAULT 3

#define PC 0
#define X(n) (4 * (n)) // x1 lies at 4
#define CAUSE 128
#define VALUE 132

#define SAVED 64 // bytes for ra and s0-s11, and for the registers that C may change: a multiple of 16

#define MIE 8
#define MPIE 0x80
#define MPP 0x1800
#define CAUSE_ECALL_FROM_USER 8

#define FUNCTION(name) .section .text.name, "ax"; .balign 4; .global name; .type name, @function; name:
#define END(name) .size name, . - name

.macro SAVED_REGISTERS op
    \op ra, 0(sp)
    \op s0, 4(sp)
    \op s1, 8(sp)
    \op s2, 12(sp)
    \op s3, 16(sp)
    \op s4, 20(sp)
    \op s5, 24(sp)
    \op s6, 28(sp)
    \op s7, 32(sp)
    \op s8, 36(sp)
    \op s9, 40(sp)
    \op s10, 44(sp)
    \op s11, 48(sp)
.endm

.macro CHANGED_REGISTERS op
    \op ra, 0(sp)
    \op t0, 4(sp)
    \op t1, 8(sp)
    \op t2, 12(sp)
    \op t3, 16(sp)
    \op t4, 20(sp)
    \op t5, 24(sp)
    \op t6, 28(sp)
    \op a0, 32(sp)
    \op a1, 36(sp)
    \op a2, 40(sp)
    \op a3, 44(sp)
    \op a4, 48(sp)
    \op a5, 52(sp)
    \op a6, 56(sp)
    \op a7, 60(sp)
.endm

// All of an executor's but a0 (x10), which holds its record.
.macro EXECUTOR_REGISTERS op
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op x\n, X(\n)(a0)
    .endr
.endm

    .section .vectors, "ax"
    .balign 4
    .global mma_reset
    .type mma_reset, @function
mma_reset:
    csrci mstatus, MIE
    csrw mie, zero
    csrw mscratch, zero
    la t0, mma_trap
    csrw mtvec, t0
    la sp, mma_stack_high
    tail mma_begin
END(mma_reset)

// enum mma_leave mma_arch_enter(struct mma_context *). Between the look at mma_woken and mret no interrupt comes.
FUNCTION(mma_arch_enter)
    addi sp, sp, -SAVED
    SAVED_REGISTERS sw
    csrci mstatus, MIE
    la t0, mma_woken
    lbu t0, 0(t0)
    bnez t0, 1f
    la t0, kernel_sp
    sw sp, 0(t0)
    li t0, MPP
    csrc mstatus, t0            // to user mode,
    li t0, MPIE
    csrs mstatus, t0            // where interrupts are on
    j mma_resume
1:  li a0, PREEMPTED
    j mma_leave
END(mma_arch_enter)

// Into the executor whose record is in a0.
FUNCTION(mma_resume)
    csrw mscratch, a0
    lw t0, PC(a0)
    csrw mepc, t0
    EXECUTOR_REGISTERS lw
    lw a0, X(10)(a0)
    mret
END(mma_resume)

// Back to where the kernel called mma_arch_enter, with the reason in a0.
FUNCTION(mma_leave)
    SAVED_REGISTERS lw
    addi sp, sp, SAVED
    csrsi mstatus, MIE
    ret
END(mma_leave)

FUNCTION(mma_trap)
    csrrw a0, mscratch, a0
    beqz a0, mma_kernel_trap
    EXECUTOR_REGISTERS sw
    csrrw t0, mscratch, zero
    sw t0, X(10)(a0)
    csrr t0, mepc
    csrr t1, mcause
    csrr t2, mtval
    sw t0, PC(a0)
    sw t1, CAUSE(a0)
    sw t2, VALUE(a0)
    la sp, kernel_sp
    lw sp, 0(sp)
    bltz t1, 1f
    li t3, CAUSE_ECALL_FROM_USER
    li a1, FAULT
    bne t1, t3, 2f
    addi t0, t0, 4              // after the ecall
    sw t0, PC(a0)
    li a1, CALL
2:  mv a0, a1
    j mma_leave
1:  mv s0, a0
    mv a0, t1
    call mma_interrupt
    la t0, mma_woken
    lbu t0, 0(t0)
    mv a0, s0
    beqz t0, mma_resume
    li a0, PREEMPTED
    j mma_leave
END(mma_trap)

// The kernel was interrupted: a0 is zero, and mscratch holds the kernel's.
FUNCTION(mma_kernel_trap)
    csrr a0, mcause
    bgez a0, 1f
    csrrw a0, mscratch, zero
    addi sp, sp, -SAVED
    CHANGED_REGISTERS sw
    csrr a0, mcause
    call mma_interrupt
    CHANGED_REGISTERS lw
    addi sp, sp, SAVED
    mret
1:  mv a0, ra                   // its own fault, which may be that it has no stack left: begin a new one
    la sp, mma_stack_high
    tail mma_kernel_fault
END(mma_kernel_trap)

    .section .bss.kernel_sp, "aw", @nobits
    .balign 4
kernel_sp:
    .space 4
